"""R(2+1)D: every convolution factorised into space and time."""

from functools import partial

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.factorised import factorised_bn
from keras_video.layers.inflated import clip_stage, clip_stem
from keras_video.layers.residual import RESNET_BLOCKS, basic_block

__all__ = ["R2Plus1D", "decode_predictions", "preprocess_input"]

TEMPORAL_STRIDES = (1, 2, 2, 2)


@documented
def R2Plus1D(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="r2plus1d",
    *,
    depth=34,
    dropout=0.5,
):
    """R(2+1)D (arXiv:1711.11248): a residual network of factorised 3-D convolutions.

    The last three stages halve the frames.

    Args:
        input_shape: `(frames, height, width, channels)`; `(8, 224, 224, 3)` if not given.
            Frames, height and width may be `None`.
        pooling: without the top: `None` (features `(batch, frames/8, height/32, width/32, 512)`),
            "avg" or "max" (features `(batch, 512)`).
        depth: 18 or 34.
        dropout: rate before the classifier.

    Raises:
        ValueError: for another depth, or arguments that no published weights have.
    """
    if depth not in (18, 34):
        raise ValueError(f"depth={depth!r}: expected 18 or 34.")
    block = partial(basic_block, conv=factorised_bn, project=factorised_bn)
    clip = clip_input(input_tensor, input_shape, (8, 224, 224, 3))
    x = clip_stem(clip, kernel_size=(3, 7, 7), conv=factorised_bn)
    for stage, blocks in enumerate(RESNET_BLOCKS[depth]):
        x = clip_stage(x, stage, [block] * blocks, temporal_stride=TEMPORAL_STRIDES[stage])
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
        constructor=R2Plus1D,
        arguments={"depth": depth},
    )
