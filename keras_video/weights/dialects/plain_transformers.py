"""Transforms shared by the dialects of plain video transformers: fused attention projections."""

import re

import numpy as np

ONE_OF_THREE = re.compile(r"(?P<prefix>.*\.)(?P<part>query|key|value|[qkv]_proj)\.weight")
PARTS = ({"query": "query", "key": "key", "value": "value"},
         {"query": "q_proj", "key": "k_proj", "value": "v_proj"})  # fmt: skip

# In cross-attention, queries come from other tokens than keys and values.
CROSS = re.compile(r"\.cross_attn\.$")


def fuse_attention(state):
    """Joins the matrices of queries, keys and values under one prefix into `qkv`, in this order.

    Three biases are joined as well; if keys have none, the two become `q_bias` and `v_bias`.
    Attention that lacks one of the three matrices is left unchanged, to be reported.
    """
    fused = dict(state)
    prefixes = {match["prefix"] for name in state if (match := ONE_OF_THREE.fullmatch(name))}
    for prefix in prefixes:
        if CROSS.search(prefix):
            continue
        for parts in PARTS:
            names = {role: f"{prefix}{part}" for role, part in parts.items()}
            if all(f"{name}.weight" in fused for name in names.values()):
                _fuse(fused, prefix, names)
    return fused


def _fuse(state, prefix, names):
    kernels = [state.pop(f"{name}.weight") for name in names.values()]
    state[f"{prefix}qkv.weight"] = np.concatenate(kernels)
    biases = {role: f"{name}.bias" for role, name in names.items() if f"{name}.bias" in state}
    if len(biases) == 3:
        state[f"{prefix}qkv.bias"] = np.concatenate([state.pop(name) for name in biases.values()])
    elif biases.keys() == {"query", "value"}:
        state[f"{prefix}q_bias"] = state.pop(biases["query"])
        state[f"{prefix}v_bias"] = state.pop(biases["value"])
