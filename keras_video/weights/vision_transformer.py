"""An image transformer's checkpoint as the start of a TimeSformer."""

import re

# timm's names of the modules, as MMAction2 calls them.
TIMM = (
    (r"^patch_embed\.proj\.", "patch_embed.projection."),
    (r"^blocks\.(\d+)\.", r"transformer_layers.layers.\1."),
    (r"(layers\.\d+)\.norm1\.", r"\1.norms.0."),
    (r"(layers\.\d+)\.norm2\.", r"\1.norms.1."),
    (r"(layers\.\d+)\.attn\.qkv\.", r"\1.attentions.0.attn.in_proj_"),
    (r"(layers\.\d+)\.attn\.proj\.", r"\1.attentions.0.attn.out_proj."),
    (r"(layers\.\d+)\.mlp\.fc1\.", r"\1.ffns.0.layers.0.0."),
    (r"(layers\.\d+)\.mlp\.fc2\.", r"\1.ffns.0.layers.1."),
)

# Divided attention has its norms inside the attentions and the feed-forward network.
DIVIDED = (
    (r"\.norms\.0\.", ".attentions.0.norm."),
    (r"\.norms\.1\.", ".ffns.0.norm."),
)

# The layer before the classifier that the ImageNet-21K training had.
REPRESENTATION = re.compile(r"^pre_logits\.")


def start_of_transformer(state, variables):
    """An image transformer's tensors by the names of the video transformer that starts from them.

    Attention over time starts as a copy of the attention over space, norm included. Anything else
    than an image transformer is returned as it is.

    Args:
        state: `{name: array}` in timm's or MMAction2's names.
        variables: the keys of the model's variables.
    """
    if any(re.match(r"blocks\.\d+\.attn\.qkv\.", name) for name in state):
        kept = {name: array for name, array in state.items() if not REPRESENTATION.match(name)}
        state = renamed(kept, TIMM)
    divided = any(key.endswith("_temporal_fc/kernel") for key in variables)
    if not divided or any(".temporal_fc." in name for name in state):
        return state
    state = renamed(state, DIVIDED)
    spatial = {
        name.replace(".attentions.0.", ".attentions.1."): array
        for name, array in state.items()
        if ".attentions.0." in name
    }
    return {**state, **spatial}


def renamed(state, rules):
    """`state` with every rule applied to its names, in order."""
    names = {}
    for name, array in state.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        names[name] = array
    return names
