"""One video file through a model."""

import numpy as np
import tensorflow as tf

from keras_video.data.decoding.videos import open_video
from keras_video.data.pipelines.normalizing import normalize_array
from keras_video.data.rows.presets import clip_sampler, clip_steps
from keras_video.data.steps.basic import Normalize, apply_steps
from keras_video.data.steps.early import shrinking
from keras_video.inference.views import predict_views
from keras_video.zoo.preprocessing import Preprocessing


def predict_video(
    model, path, *, sampling=None, steps=None, view_frames=None, average=None, max_views=None
):
    """The probabilities of a model's classes for a video file.

    Frames are drawn, cut and averaged as `model.preprocessing` says (the test protocol of the
    weights' row); what is given here goes before it.

    Args:
        model: a video classifier of `keras_video.applications`.
        path: a video file.
        sampling: a frame sampler of `keras_video.data`.
        steps: clip steps of `keras_video.data`, from uint8 frames to normalised clips.
        view_frames: frames of one view; `None` makes all sampled frames one view.
        average: "prob" (mean over the views of softmax) or "score" (mean of logits).
        max_views: views that go through the model at once, to save memory.

    Returns:
        float32 probabilities of shape `(classes,)`.

    Raises:
        ValueError: if the model does not say how it is fed and `sampling` or `steps` is missing.
        DecodeError: if the file cannot be read.
    """
    if sampling is None or steps is None:
        settings = preprocessing_of(model)
        if sampling is None:
            sampling, view_frames = clip_sampler(settings.sampling), settings.view_frames
        steps = steps or clip_steps(settings.spatial, settings.normalize)
        average = average or settings.average
        max_views = max_views or settings.max_views
    clips = video_views(path, sampling, steps, view_frames)
    scores = predict_views(model, clips[None], average=average or "prob", max_views=max_views)
    return np.asarray(scores)[0]


def preprocessing_of(model):
    """How a model is fed, from its `preprocessing`.

    Raises:
        ValueError: if the model does not know.
    """
    facts = getattr(model, "preprocessing", None)
    if facts is None:
        raise ValueError(
            f"The model {model.name!r} has preprocessing=None: give `sampling` and `steps`, or set "
            "`model.preprocessing = keras_video.zoo.Preprocessing(...).facts()`."
        )
    return Preprocessing.read(facts)


def video_views(path, sampling, steps, view_frames=None):
    """The views of a video, an array `(views, frames, height, width, channels)` of float32.

    Views along time come first: the crops of one clip stand together. Memory is taken for little
    more than the views: frames are made smaller while they are decoded where the steps begin with
    a resize, and normalized without copies.
    """
    steps = tuple(steps)
    video = open_video(path)
    indices = sampling(video.total_frames, training=False)
    frames = video.read(indices.reshape(-1), shrink=shrinking(steps))
    clips = frames.reshape(-1, view_frames or len(frames), *frames.shape[1:])
    last = steps[-1] if steps and type(steps[-1]) is Normalize else None
    views = apply_steps(steps if last is None else steps[:-1], tf.constant(clips))
    return np.asarray(views) if last is None else normalize_array(last, np.asarray(views))
