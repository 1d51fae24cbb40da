"""SlowOnly: the slow pathway of SlowFast on its own."""

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import conv_bn
from keras_video.layers.inflated import clip_stage, clip_stem, inflated_blocks

__all__ = ["SlowOnly", "decode_predictions", "preprocess_input", "slow_features"]

# Per stage, repeated over its blocks: temporal kernel size of the first convolution, and whether
# a non-local block follows.
TEMPORAL_KERNELS = ((1,), (1,), (3,), (3,))
NON_LOCAL = ((False,), (True, False), (True, False), (False,))


@documented
def SlowOnly(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="slowonly",
    *,
    depth=50,
    non_local=None,
    first_pool=True,
    dropout=0.5,
):
    """The slow pathway of SlowFast as a standalone network (arXiv:1812.03982).

    Time is never downsampled; the last two stages convolve over three frames at a time.

    Args:
        input_shape: `(frames, height, width, channels)`; `(4, 224, 224, 3)` if not given.
            Frames, height and width may be `None`. Optical flow has 2 channels.
        pooling: without the top: `None` (features `(batch, frames, height/32, width/32, 2048)`),
            "avg" or "max" (features `(batch, 2048)`).
        depth: 50, 101 or 152.
        non_local: `None`, or the kind of the non-local blocks of the middle stages:
            "embedded_gaussian", "gaussian" or "dot_product".
        first_pool: whether the stem ends with a pooling; networks for small frames omit it, and all
            feature maps are then twice as high and wide.
        dropout: rate before the classifier.

    Raises:
        ValueError: for an unknown depth or kind of non-local block, or arguments that no published
            weights match.
    """
    clip = clip_input(input_tensor, input_shape, (4, 224, 224, 3))
    x = slow_features(clip, depth, non_local, first_pool)[-1]
    if include_top:
        x = layers.GlobalAveragePooling3D(name="avg_pool")(x)
        x = classifier(x, classes, classifier_activation, dropout)
    else:
        x = pool_features(x, pooling)
    return build_model(
        clip,
        x,
        name=name,
        weights=weights,
        input_tensor=input_tensor,
        constructor=SlowOnly,
        arguments={"depth": depth, "non_local": non_local, "first_pool": first_pool},
    )


def slow_features(clip, depth, non_local=None, first_pool=True):
    """The outputs of the four stages, the last `(batch, frames, height/32, width/32, 2048)`.

    Blocks are initialized as identities, as in SlowFast; weights inflated from image networks
    replace that.
    """
    attention = None if non_local is None else {"mode": non_local, "use_scale": True}
    x = clip_stem(clip) if first_pool else conv_bn(clip, 64, (1, 7, 7), (1, 2, 2), name="conv1")
    outputs = []
    for stage in range(4):
        blocks = inflated_blocks(
            depth,
            stage,
            TEMPORAL_KERNELS[stage],
            NON_LOCAL[stage],
            attention,
            last_gamma="zeros",
        )
        x = clip_stage(x, stage, blocks)
        outputs.append(x)
    return outputs
