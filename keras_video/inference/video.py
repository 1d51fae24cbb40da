"""Predictions for a single video file."""

import numpy as np

from keras_video.data.decoding.videos import open_video
from keras_video.data.pipelines.processing import Processing
from keras_video.data.rows.presets import processing_of
from keras_video.data.transforms.decode_crop import leading_shrink
from keras_video.inference.automatic import check_optimize
from keras_video.inference.views import predict_views
from keras_video.zoo.protocol import VIDEO, Protocol


def predict_video(
    model,
    path,
    *,
    sampling=None,
    transforms=None,
    view_frames=None,
    score_average=None,
    max_views=None,
    optimize="auto",
    videos_to_come=0,
):
    """The probabilities of a model's classes for a video file.

    Frames are sampled, cropped and averaged according to `model.protocol` (the test protocol of
    the weights' row); arguments given here override it.

    Args:
        model: a video classifier of `keras_video.applications`.
        path: a video file.
        sampling: a frame sampler of `keras_video.data`.
        transforms: clip transforms of `keras_video.data`, from uint8 frames to normalized clips.
        view_frames: frames of one view; `None` puts all sampled frames into one view.
        score_average: "prob" (mean over the views of softmax) or "score" (mean of logits).
        max_views: views that go through the model at once, to save memory.
        optimize: "auto" switches to the fastest equivalent form of the model (`inference.optimize`)
            once there is more work than the search for it costs; scores differ by rounding. "off"
            always uses the model itself.
        videos_to_come: number of videos that will follow, if known; otherwise "auto" waits until
            the videos so far would have paid for the search.

    Returns:
        float32 probabilities of shape `(classes,)`.

    Raises:
        ValueError: if the model has no protocol and `sampling` or `transforms` is missing, or for
            an unknown `optimize`.
        DecodeError: if the file cannot be read.
    """
    check_optimize(optimize)
    protocol = None if sampling is not None and transforms is not None else protocol_of(model)
    processing = _processing(protocol, sampling, transforms, view_frames)
    if protocol is not None:
        score_average, max_views = (
            score_average or protocol.score_average,
            max_views or protocol.max_views,
        )
    clips = views_of(path, processing)
    scores = predict_views(
        model,
        clips[None],
        score_average=score_average or "prob",
        max_views=max_views,
        optimize=optimize,
        to_come=videos_to_come * len(clips),
    )
    return np.asarray(scores)[0]


def _processing(protocol, sampling, transforms, view_frames):
    """The `Processing` of a protocol, with the given overrides."""
    if protocol is not None and protocol.modality != VIDEO:
        raise ValueError(
            f"The model takes {protocol.modality}: expected a video model; use predict_audio "
            "or predict_audiovisual for models with audio."
        )
    default = None if protocol is None else processing_of(protocol)
    if sampling is None:
        sampling, view_frames = default.sampling, default.view_frames
    transforms = default.all_transforms if transforms is None else transforms
    return Processing.of_transforms(sampling, transforms, view_frames)


def protocol_of(model):
    """The `protocol` of a model: how its inputs are prepared.

    Raises:
        ValueError: if the model has none.
    """
    preprocessing = getattr(model, "preprocessing", None)
    if preprocessing is None:
        raise ValueError(
            f"The model {model.name!r} has preprocessing=None: pass `sampling` and `transforms`, "
            "or set `model.protocol = keras_video.zoo.Protocol(...)`."
        )
    return Protocol.read(preprocessing)


def views_of(path, processing):
    """The views of a video, an array `(views, frames, height, width, channels)` of float32.

    Views are ordered by clip: the crops of one clip are adjacent. Memory use is little more than
    the views: if the transforms begin with a resize, frames are resized while decoding, and they
    are normalized without copies.

    Args:
        path: a video file.
        processing: a `keras_video.data.pipelines.processing.Processing`.
    """
    return views_of_video(open_video(path), processing)


def views_of_video(video, processing):
    """Like `views_of`, for an open `Video`."""
    indices = processing.sampling(video.total_frames, training=False)
    frames = video.read(indices.reshape(-1), shrink=leading_shrink(processing.transforms))
    return _views_of_sampled(frames, processing)


def views_of_frames(frames, processing):
    """Like `views_of`, for all frames of a video, uint8 `(frames, height, width, 3)`."""
    indices = processing.sampling(len(frames), training=False).reshape(-1)
    shrink = leading_shrink(processing.transforms)
    if shrink is None:
        return _views_of_sampled(frames[indices], processing)
    unique, positions = np.unique(indices, return_inverse=True)
    smaller = np.concatenate([shrink(frames[index : index + 1]) for index in unique])
    return _views_of_sampled(smaller[positions], processing)


def _views_of_sampled(frames, processing):
    """Views from the frames drawn by a sampler, clip after clip."""
    clips = frames.reshape(-1, processing.view_frames or len(frames), *frames.shape[1:])
    return processing.normalized(processing.transformed(clips))
