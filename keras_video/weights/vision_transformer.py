"""An image transformer's checkpoint as the start of a TimeSformer."""

from keras_video.weights.dialects.dialect import Dialect, renamed

# Divided attention has its norms inside the attentions and the feed-forward network.
DIVIDED = Dialect(
    name="divided",
    pattern=r".*",
    rules=(
        (r"\.norms\.0\.", ".attentions.0.norm."),
        (r"\.norms\.1\.", ".ffns.0.norm."),
    ),
)

# Names of layers as they are here.
OWN = Dialect(name="own", pattern=r".*", rules=())


def divides_attention(state, variables):
    """Whether a model attends to time and space in turn, where the state's network does not.

    Args:
        state: `{name: array}` in names of layers here.
        variables: the keys of the model's variables.
    """
    divided = any(key.endswith("_temporal_fc/kernel") for key in variables)
    transformer = any(name.startswith("transformer_layers.") for name in state)
    return divided and transformer and not any(".temporal_fc." in name for name in state)


def with_divided_attention(state):
    """An image transformer's tensors by the names of divided attention.

    Attention over time starts as a copy of the attention over space, norm included.

    Args:
        state: `{name: array}` in names of layers here.
    """
    state = renamed(state, DIVIDED.rename)
    spatial = {
        name.replace(".attentions.0.", ".attentions.1."): array
        for name, array in state.items()
        if ".attentions.0." in name
    }
    return {**state, **spatial}
