"""One video file through a model."""

import numpy as np

from keras_video.data.decoding.videos import open_video
from keras_video.data.pipelines.processing import Processing
from keras_video.data.rows.presets import processing_of
from keras_video.data.transforms.decode_crop import shrinking
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

    Frames are drawn, cut and averaged as `model.protocol` says (the test protocol of the
    weights' row); what is given here goes before it.

    Args:
        model: a video classifier of `keras_video.applications`.
        path: a video file.
        sampling: a frame sampler of `keras_video.data`.
        transforms: clip transforms of `keras_video.data`, from uint8 frames to normalized clips.
        view_frames: frames of one view; `None` makes all sampled frames one view.
        score_average: "prob" (mean over the views of softmax) or "score" (mean of logits).
        max_views: views that go through the model at once, to save memory.
        optimize: "auto" lets the fastest equal form of the model (`inference.optimize`) score the
            videos once there is more work than it costs to find; scores differ by rounding. "off"
            keeps to the model.
        videos_to_come: how many will follow, where that is known: "auto" otherwise waits until the
            videos so far would have paid for it.

    Returns:
        float32 probabilities of shape `(classes,)`.

    Raises:
        ValueError: if the model does not say how it is fed and `sampling` or `transforms` is
            missing, or for another `optimize`.
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
    """The `Processing` of a protocol, with what is given in its place."""
    if protocol is not None and protocol.modality != VIDEO:
        raise ValueError(
            f"The model takes {protocol.modality}: expected one of video; predict_audio and "
            "predict_audiovisual are for models of sound."
        )
    stated = None if protocol is None else processing_of(protocol)
    if sampling is None:
        sampling, view_frames = stated.sampling, stated.view_frames
    transforms = stated.all_transforms if transforms is None else transforms
    return Processing.of_transforms(sampling, transforms, view_frames)


def protocol_of(model):
    """How a model is fed: its `protocol`.

    Raises:
        ValueError: if the model does not know.
    """
    facts = getattr(model, "preprocessing", None)
    if facts is None:
        raise ValueError(
            f"The model {model.name!r} has preprocessing=None: give `sampling` and `transforms`, "
            "or set `model.protocol = keras_video.zoo.Protocol(...)`."
        )
    return Protocol.read(facts)


def views_of(path, processing):
    """The views of a video, an array `(views, frames, height, width, channels)` of float32.

    Views along time come first: the crops of one clip stand together. Memory is taken for little
    more than the views: frames are made smaller while they are decoded where the transforms begin
    with a resize, and normalized without copies.

    Args:
        path: a video file.
        processing: a `keras_video.data.pipelines.processing.Processing`.
    """
    return views_of_video(open_video(path), processing)


def views_of_video(video, processing):
    """As `views_of`, of an open `Video`."""
    indices = processing.sampling(video.total_frames, training=False)
    frames = video.read(indices.reshape(-1), shrink=shrinking(processing.transforms))
    return _views_of_sampled(frames, processing)


def views_of_frames(frames, processing):
    """As `views_of`, of all frames of a video, uint8 `(frames, height, width, 3)`."""
    indices = processing.sampling(len(frames), training=False).reshape(-1)
    shrink = shrinking(processing.transforms)
    if shrink is None:
        return _views_of_sampled(frames[indices], processing)
    unique, places = np.unique(indices, return_inverse=True)
    made = np.concatenate([shrink(frames[index : index + 1]) for index in unique])
    return _views_of_sampled(made[places], processing)


def _views_of_sampled(frames, processing):
    """Views of the frames that a sampler has drawn, one clip after the other."""
    clips = frames.reshape(-1, processing.view_frames or len(frames), *frames.shape[1:])
    return processing.normalized(processing.transformed(clips))
