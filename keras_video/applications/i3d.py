"""I3D: image networks inflated over time, with and without non-local blocks."""

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import max_pool
from keras_video.layers.inflated import clip_stage, clip_stem, inflated_blocks

__all__ = ["I3D", "decode_predictions", "preprocess_input"]

# Per stage, repeated over its blocks: temporal kernel size of the first convolution, and whether
# a non-local block follows.
TEMPORAL_KERNELS = ((3,), (3, 1), (3, 1), (1, 3))
NON_LOCAL = ((False,), (False, True), (False, True), (False,))


@documented
def I3D(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="i3d",
    *,
    depth=50,
    non_local=None,
    heavy=False,
    temporal_strides=None,
    dropout=0.5,
):
    """Inflated 3-D residual network (arXiv:1705.07750), in the variant of arXiv:1711.07971.

    Half of the blocks convolve over three frames. The stem and the poolings reduce the number of
    frames by eight, or by two if the stem and the first pooling have a temporal stride of 1.

    Args:
        input_shape: `(frames, height, width, channels)`; `(32, 224, 224, 3)` if not given.
            Frames, height and width may be `None`.
        pooling: without the top: `None` (features `(batch, frames/8, height/32, width/32, 2048)`),
            "avg" or "max" (features `(batch, 2048)`).
        depth: 50, 101 or 152.
        non_local: `None`, or the kind of the non-local blocks of the middle stages:
            "embedded_gaussian", "gaussian" or "dot_product"; or a dictionary of the arguments of
            `keras_video.layers.non_local`.
        heavy: whether every block convolves over three frames, and the stem and the first pooling
            keep all frames.
        temporal_strides: temporal strides of the stem and of the first pooling, 1 or 2 each;
            `(1, 1)` for a heavy network and `(2, 2)` otherwise if not given.
        dropout: rate before the classifier.

    Raises:
        ValueError: for an unknown depth or kind of non-local block, strides other than 1 and 2, or
            arguments that no published weights match.
    """
    attention = {"mode": non_local} if isinstance(non_local, str) else non_local
    stem_stride, pool_stride = check_strides(temporal_strides, heavy)
    clip = clip_input(input_tensor, input_shape, (32, 224, 224, 3))
    x = clip_stem(
        clip,
        kernel_size=(5, 7, 7),
        temporal_stride=stem_stride,
        pool_stride=pool_stride,
    )
    for stage in range(4):
        kernels = (3,) if heavy else TEMPORAL_KERNELS[stage]
        blocks = inflated_blocks(depth, stage, kernels, NON_LOCAL[stage], attention)
        x = clip_stage(x, stage, blocks)
        if stage == 0:
            x = max_pool(x, (2, 1, 1), (2, 1, 1), name="pool2")
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
        constructor=I3D,
        arguments={
            "depth": depth,
            "non_local": non_local,
            "heavy": heavy,
            "temporal_strides": temporal_strides,
        },
    )


def check_strides(strides, heavy):
    """The temporal strides of the stem and the first pooling.

    Raises:
        ValueError: if they are not two numbers, each 1 or 2.
    """
    if strides is None:
        return (1, 1) if heavy else (2, 2)
    if len(tuple(strides)) != 2 or not {*strides} <= {1, 2}:
        raise ValueError(f"temporal_strides={strides!r}: expected two numbers, each 1 or 2.")
    return tuple(strides)
