"""Top classes of videos given as files, URLs, arrays, or lists of these."""

import dataclasses
import itertools
import os

import numpy as np
from absl import logging

from keras_video.data.decoding.opening import is_address
from keras_video.data.decoding.videos import open_video
from keras_video.data.rows.presets import processing_of
from keras_video.inference.automatic import check_optimize
from keras_video.inference.single_view import protocol_with_views
from keras_video.inference.two_classes import both_classes, class_names_of
from keras_video.inference.video import views_of_frames, views_of_video
from keras_video.inference.views import predict_views
from keras_video.layers.view_average import views_at_once
from keras_video.progress import progress_bar

# From this number of frames per video on, a warning states once what the views cost.
MANY_FRAMES = 64

_warned = set()


@dataclasses.dataclass(frozen=True)
class ScoredLabel:
    """A class of a video and its probability.

    Attributes:
        label: name of the class; its index as text if the model has no names.
        score: probability.
        index: index of the class.
    """

    label: str
    score: float
    index: int


def classify(
    video,
    model,
    top=5,
    views=None,
    *,
    allow_url=False,
    batch_size=8,
    optimize="auto",
    verbose=None,
):
    """The top classes of a video, or of each video of a list.

    Frames are sampled, cropped and normalized, and scores averaged, as `model.protocol` specifies.

    Args:
        video: a path; a URL such as "https://..." with `allow_url`; an array of frames, uint8
            `(frames, height, width, 3)` in RGB; or a list of these. An array has no timestamps: it
            is sampled as a video of the frame rate that the model was tested at.
        model: a video classifier of `keras_video.applications`, or its `keras_video.load`.
        top: number of classes to return.
        views: `(clips, crops)` instead of the protocol's, see `keras_video.zoo.other_views`:
            `(1, 1)`, one center-cropped clip, is the fastest, usually a little less accurate.
        allow_url: whether to open URLs; otherwise they raise an error.
        batch_size: videos of a list that are decoded and run through the network together.
        optimize: "auto" or "off", see `predict_video`.
        verbose: 1 shows a progress bar; `None` shows one for lists.

    Returns:
        List of `ScoredLabel`, best first; for a list of videos a list of these.

    Raises:
        DecodeError: naming a video that cannot be read.
        TypeError: for anything other than paths and arrays.
        ValueError: for a URL without `allow_url`, an array of another shape or type, `top`,
            `views`, `batch_size` or `optimize` out of range, or a model without a video protocol.
    """
    check_optimize(optimize)
    for name, number in (("top", top), ("batch_size", batch_size)):
        if not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{name}={number!r}: expected a whole number of at least 1")
    several = isinstance(video, list | tuple)
    videos = [_checked(item, allow_url) for item in (video if several else [video])]
    protocol = protocol_with_views(model, views)
    processing = processing_of(protocol)
    names = class_names_of(model)
    shown = several if verbose is None else verbose
    bar = progress_bar(len(videos), "video", int(bool(shown)))
    results = []
    for start in range(0, len(videos), batch_size):
        part = videos[start : start + batch_size]
        clips = [_views(item, processing, allow_url) for item in part]
        if not results:
            _warn_of_cost(model, clips[0].shape)
        rest = len(videos) - start - len(part)
        for scores in _scores(model, clips, protocol, optimize, rest):
            results.append(_best(scores, names, top))
        bar.add(len(part))
    return results if several else results[0]


def _checked(video, allow_url):
    if isinstance(video, np.ndarray) or hasattr(video, "__array__"):
        frames = np.asarray(video)
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
            raise ValueError(
                f"received an array of shape {frames.shape} and type {frames.dtype}, expected "
                "frames (frames, height, width, 3) of uint8"
            )
        return frames
    if not isinstance(video, str | os.PathLike):
        raise TypeError(
            f"received {video!r:.80} of type {type(video).__name__}, expected a path, an address "
            "or an array of frames (frames, height, width, 3) of uint8"
        )
    path = os.fspath(video)
    if not isinstance(path, str):
        path = os.fsdecode(path)
    if not allow_url and is_address(path):
        raise ValueError(f"received the address {path!r}: pass allow_url=True to open addresses")
    return path


def _views(video, processing, allow_url):
    if isinstance(video, np.ndarray):
        return views_of_frames(video, processing)
    return views_of_video(open_video(video, allow_url=allow_url), processing)


def _scores(model, clips, protocol, optimize, videos_to_come):
    """Yields probabilities per video; videos with views of the same shape are batched together."""
    limit = protocol.max_views or views_at_once(clips[0].shape[1:])
    for _, group in itertools.groupby(clips, key=lambda views: views.shape):
        scores = predict_views(
            model,
            np.stack(list(group)),
            score_average=protocol.score_average,
            max_views=limit,
            optimize=optimize,
            to_come=videos_to_come * len(clips[0]),
        )
        yield from both_classes(np.asarray(scores))


def _best(scores, names, top):
    if not np.isfinite(scores).all():
        raise ValueError(
            f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite, expected "
            "numbers: the model has diverged, or its precision is too low"
        )
    order = np.argsort(-scores, kind="stable")[:top]
    return [ScoredLabel(names[index], float(scores[index]), int(index)) for index in order]


def _warn_of_cost(model, shape):
    """Warns once per model and shape if the views of a video have many frames."""
    frames = shape[0] * shape[1]
    if frames < MANY_FRAMES or (model.name, shape) in _warned:
        return
    _warned.add((model.name, shape))
    logging.warning(
        "%s processes %d views of %d frames of %dx%d pixels per video, as in its test protocol: %d "
        "frames in total. views=(1, 1) is faster.",
        model.name,
        *shape[:4],
        frames,
    )
