"""What plain video transformers need beyond names: queries, keys and values in one matrix."""

import re

import numpy as np

ONE_OF_THREE = re.compile(r"(?P<prefix>.*\.)(?P<part>query|key|value|[qkv]_proj)\.weight")
PARTS = ({"query": "query", "key": "key", "value": "value"},
         {"query": "q_proj", "key": "k_proj", "value": "v_proj"})  # fmt: skip

# Queries of a cross-attention are of other tokens than its keys and values.
CROSS = re.compile(r"\.cross_attn\.$")


def fuse_attention(state):
    """Matrices of queries, keys and values under one prefix become `qkv`, in this order.

    Three biases are joined as well; where keys have none, the two become `q_bias` and `v_bias`.
    Attention that lacks one of the three matrices is left as it is, to be reported.
    """
    fused = dict(state)
    prefixes = {match["prefix"] for name in state if (match := ONE_OF_THREE.fullmatch(name))}
    for prefix in prefixes:
        if CROSS.search(prefix):
            continue
        for parts in PARTS:
            names = {one: f"{prefix}{part}" for one, part in parts.items()}
            if all(f"{name}.weight" in fused for name in names.values()):
                _fuse(fused, prefix, names)
    return fused


def _fuse(state, prefix, names):
    kernels = [state.pop(f"{name}.weight") for name in names.values()]
    state[f"{prefix}qkv.weight"] = np.concatenate(kernels)
    biases = {one: f"{name}.bias" for one, name in names.items() if f"{name}.bias" in state}
    if len(biases) == 3:
        state[f"{prefix}qkv.bias"] = np.concatenate([state.pop(one) for one in biases.values()])
    elif biases.keys() == {"query", "value"}:
        state[f"{prefix}q_bias"] = state.pop(biases["query"])
        state[f"{prefix}v_bias"] = state.pop(biases["value"])
