"""Initializes a TimeSformer from the checkpoint of an image transformer."""

from keras_video.weights.dialects.dialect import Dialect, renamed

# With divided attention, the norms are inside the attention and feed-forward modules.
DIVIDED = Dialect(
    name="divided",
    pattern=r".*",
    rules=(
        (r"\.norms\.0\.", ".attentions.0.norm."),
        (r"\.norms\.1\.", ".ffns.0.norm."),
    ),
)

# This package's own layer names.
OWN = Dialect(name="own", pattern=r".*", rules=())


def divides_attention(state, variables):
    """Whether a model has divided space-time attention and the state's network does not.

    Args:
        state: `{name: array}` in this package's layer names.
        variables: the keys of the model's variables.
    """
    divided = any(key.endswith("_temporal_fc/kernel") for key in variables)
    transformer = any(name.startswith("transformer_layers.") for name in state)
    return divided and transformer and not any(".temporal_fc." in name for name in state)


def with_divided_attention(state):
    """An image transformer's tensors renamed for divided attention.

    Temporal attention is initialized as a copy of spatial attention, including the norm.

    Args:
        state: `{name: array}` in this package's layer names.
    """
    state = renamed(state, DIVIDED.rename)
    spatial = {
        name.replace(".attentions.0.", ".attentions.1."): array
        for name, array in state.items()
        if ".attentions.0." in name
    }
    return {**state, **spatial}
