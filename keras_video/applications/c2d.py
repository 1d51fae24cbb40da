"""C2D: an image network over the frames of a clip."""

from keras import layers

from keras_video.applications.docstrings import documented
from keras_video.applications.model import build_model, classifier, clip_input, pool_features
from keras_video.applications.preprocessing import decode_predictions, preprocess_input
from keras_video.layers.convolution import max_pool
from keras_video.layers.inflated import clip_stage, clip_stem, inflated_blocks

__all__ = ["C2D", "decode_predictions", "preprocess_input"]


@documented
def C2D(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=400,
    classifier_activation="softmax",
    name="c2d",
    *,
    depth=50,
    temporal_pool=True,
    stem_padding=True,
    dropout=0.5,
):
    """The 2-D baseline of non-local networks (arXiv:1711.07971), without temporal convolutions.

    Frames interact only in a temporal max pooling by two after the first stage, and in the average
    pooling before the classifier.

    Args:
        input_shape: `(frames, height, width, channels)`; `(8, 224, 224, 3)` if not given.
            Frames, height and width may be `None`.
        pooling: without the top: `None` (features `(batch, frames/2, height/32, width/32, 2048)`),
            "avg" or "max" (features `(batch, 2048)`).
        depth: 50, 101 or 152.
        temporal_pool: whether frames are pooled by two; otherwise all are kept. An odd last frame
            is dropped.
        stem_padding: whether the first pooling pads the frame, as in PyTorchVideo and SlowFast;
            MMAction2's network with temporal pooling does not.
        dropout: rate before the classifier.

    Raises:
        ValueError: for an unsupported depth, or arguments that no published weights match.
    """
    clip = clip_input(input_tensor, input_shape, (8, 224, 224, 3))
    x = clip_stem(clip, pool_padding=1 if stem_padding else 0)
    for stage in range(4):
        x = clip_stage(x, stage, inflated_blocks(depth, stage, (1,)))
        if stage == 0 and temporal_pool:
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
        constructor=C2D,
        arguments={"depth": depth, "temporal_pool": temporal_pool, "stem_padding": stem_padding},
    )
