"""Streaming of a video file through a causal model: incremental scores, for any length."""

import dataclasses

import numpy as np

from keras_video.data.decoding.sequential import frames_in_order
from keras_video.inference.even_pace import even_pace
from keras_video.inference.live import LiveModel
from keras_video.inference.single_view import single_view
from keras_video.inference.stream import is_causal

# Frames per second for models whose clips are spread over a whole video.
SPREAD_RATE = 4.0
# Frames per second of the training videos of published models.
TRAINED_RATE = 25.0


@dataclasses.dataclass(frozen=True, eq=False)
class StreamScores:
    """The scores of a video up to a point in time.

    Attributes:
        start, end: seconds of the video that the scores cover.
        frames: number of frames processed since the start of the video.
        scores: float32 `(classes,)`.
    """

    start: float
    end: float
    frames: int
    scores: np.ndarray


def stream_video(model, path, *, every=1.0, rate=None, window=None):
    """Runs a causal model on a video frame by frame and yields scores as it goes.

    Every frame is center-cropped and goes through the network once. The model's state is carried
    through the whole video, so the last scores equal those of the model on one clip of all frames
    that it received. One frame is in memory at a time: a video may be hours long.

    Args:
        model: a causal classifier with a `protocol`, see `keras_video.inference.Stream`.
        path: a video file.
        every: seconds of the video between scores.
        rate: maximum number of frames per second; `None` takes the frame interval of the model's
            clips, or 4 frames per second if its clips are spread over the video.
        window: number of latest frames whose mean is classified; `None` for all since the start.

    Yields:
        `StreamScores`; the last are those at the end of the video.

    Raises:
        ValueError: if the model is not causal or does not take videos, or `every`, `rate` or
            `window` is not positive.
        DecodeError: if the file cannot be read.
    """
    for name, value in (("every", every), ("rate", rate), ("window", window)):
        if value is not None and not value > 0:
            raise ValueError(f"{name}={value!r}: expected a number above 0")
    if not is_causal(model):
        raise ValueError(
            f"{model.name!r} is not causal, it needs the frames of a clip at once: expected a "
            "model such as MoViNet(stream=True) or TSM(online=True)."
        )
    protocol = single_view(model)
    pace = even_pace(path)
    numbers = shown_numbers(pace, rate, stream_interval(protocol))
    yield from _scores(LiveModel(model, window=window), path, pace, numbers, every, window)


def _scores(live, path, pace, numbers, every, window):
    """The scores after the frames that end a span of `every` seconds, and after the last."""
    begins = np.append(numbers, pace.total_frames) / pace.rate
    spans = np.floor(begins / every + 1e-6)
    frames = _in_order(path, pace.shown[numbers])
    for number, image in enumerate(frames):
        scores = live(image)
        last = number + 1 == len(numbers)
        if last or spans[number + 1] > spans[number]:
            first = 0 if window is None else max(0, number + 1 - window)
            yield StreamScores(float(begins[first]), float(begins[number + 1]), number + 1, scores)


def _in_order(path, indices):
    """The frames at ascending indices, which may repeat."""
    unique, counts = np.unique(indices, return_counts=True)
    frames = frames_in_order(path, unique.tolist())
    for (_, image), count in zip(frames, counts, strict=True):
        for _ in range(count):
            yield image


def shown_numbers(pace, rate, interval):
    """Indices of the frames of a video that a model receives, ascending.

    Args:
        pace: an `EvenPace`.
        rate: maximum number of frames per second, or `None`.
        interval: frame interval if `rate` is `None`; `None` takes 4 frames per second.
    """
    if rate is not None or interval is None:
        interval = max(1.0, pace.rate / (rate or SPREAD_RATE))
    count = int(np.ceil(pace.total_frames / interval - 1e-6))
    return np.floor(np.arange(count) * interval + 1e-6).astype("int64")


def stream_interval(protocol):
    """Frame interval of the model's clips, in frames of the video.

    Returns:
        A number, or `None` if clips are spread over the whole video, whatever its length.
    """
    sampling = protocol.sampling
    if sampling.sampler == "DenseSampleFrames":
        return max(1, sampling.sample_range // sampling.num_clips)
    return sampling.frame_interval if sampling.clip_len > 1 else None


def stream_rate(protocol):
    """Frames per second to take from a camera, as in training on videos of 25 fps."""
    interval = stream_interval(protocol)
    return SPREAD_RATE if interval is None else TRAINED_RATE / interval
