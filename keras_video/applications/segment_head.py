"""The head of the 2-D families that classify every frame separately: TSM, TIN, TANet."""

from keras import layers

from keras_video.applications.model import classifier, pool_features
from keras_video.layers.fold import UnfoldTime


def require_static_frames(clip):
    """The number of frames of a clip tensor.

    Raises:
        ValueError: if it is unknown (`None`).
    """
    frames = clip.shape[1]
    if frames is None:
        raise ValueError(
            f"input_shape={tuple(clip.shape[1:])}: this model needs a known number of frames."
        )
    return frames


def segment_head(x, frames, *, include_top, pooling, classes, classifier_activation, dropout):
    """Classifies every frame and averages the logits over the clip, or returns the features.

    Args:
        x: folded frames `(batch * frames, h, w, c)`.
        frames: frames of a clip.
        include_top: `False` returns the output of `pool_features`, `(batch, frames, h, w, c)` if
            `pooling` is `None`.
    """
    if not include_top:
        return pool_features(UnfoldTime(frames, name="unfold_time")(x), pooling)

    def average(logits):
        logits = UnfoldTime(frames, dtype="float32", name="unfold_time")(logits)
        return layers.GlobalAveragePooling1D(dtype="float32", name="consensus")(logits)

    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)  # (b*t, c)
    return classifier(x, classes, classifier_activation, dropout, stddev=0.001, reduce=average)
