"""MoViNet of TensorFlow's Model Garden: checkpoints whose keys are paths in the object graph."""

import re

from keras_video.weights.dialects.dialect import Dialect, either

SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"

# Blocks per stage of A0 to A5. The keys number the body's layers consecutively.
STAGES = (
    (1, 3, 3, 4, 4),
    (2, 4, 5, 6, 7),
    (3, 5, 5, 6, 7),
    (4, 6, 5, 8, 10),
    (6, 9, 9, 10, 13),
    (6, 11, 13, 11, 18),
)

# A classifier and its body, or a body alone. The same objects have unnumbered names if the
# checkpoint was saved with them as roots.
BODY = r"(?:(?:model/)?(?:layer_with_weights-0|_?backbone)/)"
HEAD = r"(?:(?:model/)?layer_with_weights-1/)"
LAYER = rf"{BODY}layer_with_weights-(\d+)/"
CONV = r"(?:_conv/)?_conv/(?:depthwise_)?kernel"
NORM = r"_batch_norm(?:_temporal)?/(?:gamma|beta|moving_mean|moving_variance)"

PARTS = either(
    rf"_(?:stem|project)/(?:{CONV}|{NORM})",
    rf"_(?:expansion|feature|projection|skip/_projection)/(?:{CONV}|{NORM})",
    r"_feature/_conv_temporal/(?:_conv/)?(?:depthwise_)?kernel",
    rf"_attention/_se_(?:reduce|expand)/(?:{CONV}|(?:_conv/)?_conv/bias)",
    r"_attention/_pos_encoding/_rezero/scale",
    r"_mobile_bottleneck/_rezero/scale",
)

RULES = (
    (r"/_conv/_conv/", "/_conv/"),
    (r"/_conv_temporal/_conv/", "/_conv_temporal/"),
    (r"depthwise_kernel$", "kernel"),
    (r"/_stem/", "/"),
    (r"^head/_project/", "head/"),
    (r"_skip/_projection", "_skip"),
    (r"_attention/_pos_encoding/_rezero", "_pos_enc"),
    (r"_attention/(_se_reduce|_se_expand)/_conv", r"\1"),
    (r"_mobile_bottleneck/_rezero", "_rezero"),
    (r"_batch_norm", "_bn"),
    (r"^_head/_conv/", "fc1/"),
    (r"^_classifier/_conv/", "fc_cls/"),
    (r"/", "."),
    (r"\._", "."),
)


def name_layers(state):
    """Strips the common suffix of the keys, and names the layers of the body."""
    matches = {name: re.match(LAYER, name) for name in state}
    last = max((int(match[1]) for match in matches.values() if match), default=0)
    names = layer_names(last)
    named = {}
    for name, array in state.items():
        rest = name.removesuffix(SUFFIX)
        if match := matches[name]:
            rest = f"{names[int(match[1])]}/{rest[match.end() :]}"
        else:
            rest = re.sub(rf"^{HEAD}", "", rest)
        named[rest] = array
    return named


def layer_names(last):
    """Names of layers 0 to `last` of a body; blocks of unknown variants are numbered through."""
    known = [stages for stages in STAGES if sum(stages) == last - 1]
    stages = known[0] if known else (max(last - 1, 0),)
    blocks = [f"block{s}_layer{i}" for s, count in enumerate(stages) for i in range(count)]
    return ["stem", *blocks, "head"]


def plain_kernels(state):
    """Converts 3-D kernels of size 1 in time or space to 2-D kernels.

    The authors train the stream variant with 3-D kernels and convert it afterwards.
    """
    factorized = any("_conv_temporal/" in name and a.ndim == 5 for name, a in state.items())
    if not factorized:
        return state
    plain = {}
    for name, array in state.items():
        if array.ndim == 5 and "_feature/_conv_temporal/" in name:
            array = array[:, :, 0].swapaxes(-1, -2)  # (t, 1, 1, 1, c) -> (t, 1, c, 1)
        elif array.ndim == 5 and "_feature/" in name:
            array = array[0].swapaxes(-1, -2)  # (1, h, w, 1, c) -> (h, w, c, 1)
        elif array.ndim == 5:
            array = array[0]
        plain[name] = array
    return plain


MOVINET = Dialect(
    name="movinet",
    pattern=either(
        rf"{LAYER}(?:{PARTS}){SUFFIX}",
        rf"{HEAD}_(?:head|classifier)/(?:_conv/)?_conv/(?:kernel|bias){SUFFIX}",
    ),
    rules=RULES,
    transforms=(name_layers, plain_kernels),
    head=r"_(?:head|classifier)/_conv",
    channels_last=True,
)
