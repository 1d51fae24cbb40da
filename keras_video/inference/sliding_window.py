"""Scores over time, from a window that slides over a video of any length."""

import dataclasses

import numpy as np

from keras_video.data.decoding.sequential import frames_in_order
from keras_video.data.rows.presets import processing_of
from keras_video.data.transforms.decode_crop import leading_shrink
from keras_video.inference.even_pace import even_pace
from keras_video.inference.single_view import frame_span, single_view
from keras_video.inference.views import predict_views
from keras_video.progress import progress_bar

SECONDS = 2.0


@dataclasses.dataclass(frozen=True, eq=False)
class WindowScores:
    """The scores of the windows of a video, in temporal order.

    Attributes:
        starts, ends: seconds from the start of the video, float64 `(windows,)`.
        scores: float32 `(windows, classes)`.
    """

    starts: np.ndarray
    ends: np.ndarray
    scores: np.ndarray

    def mean(self):
        """The scores of the whole video, `(classes,)`: the mean over its windows."""
        return self.scores.mean(0)

    def at(self, seconds):
        """The scores `(classes,)` of the window whose center is nearest to a point in time."""
        centers = (self.starts + self.ends) / 2
        return self.scores[np.abs(centers - seconds).argmin()]

    def smoothed(self, smoothing):
        """The same windows with exponentially smoothed scores.

        Args:
            smoothing: weight of the preceding scores, from 0 (unchanged) to below 1.

        Raises:
            ValueError: if it is out of that range.
        """
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing={smoothing!r}: expected a number from 0 to below 1")
        scores = self.scores.copy()
        for number in range(1, len(scores)):
            scores[number] = smoothing * scores[number - 1] + (1 - smoothing) * scores[number]
        return dataclasses.replace(self, scores=scores)


def predict_windows(model, path, *, window=None, stride=None, optimize="auto", verbose=0):
    """Scores of a sliding window over a video.

    The model receives one view of every window: a center-cropped clip, sampled as from a video of
    that length. Windows are equally long and evenly spaced in time: a video with a variable frame
    rate is resampled as by `even_pace`. The video is decoded once; only the frames that current
    windows need are buffered, so memory does not grow with its length.

    Args:
        model: a video classifier with a `protocol`.
        path: a video file. If it is shorter than the window, it is one window.
        window: seconds of a window; `None` takes 2, or the span of the model's clips if longer.
        stride: seconds from the start of a window to that of the next; `None` takes half a window.
            The last window ends with the video, so its stride may be shorter.
        optimize: "auto" or "off", see `predict_video`.
        verbose: 1 shows a progress bar.

    Returns:
        `WindowScores`.

    Raises:
        ValueError: if the window or stride is not positive, the window is shorter than the
            model's clips, or the model does not take videos.
        DecodeError: if the file cannot be read.
    """
    protocol = single_view(model)

    def score(view, to_come):
        return predict_views(
            model,
            view[None, None],
            score_average=protocol.score_average,
            optimize=optimize,
            to_come=to_come,
        )[0]

    starts, ends, scores = over_windows(protocol, path, score, window, stride, verbose)
    return WindowScores(starts, ends, scores)


def over_windows(protocol, path, function, window=None, stride=None, verbose=0):
    """Applies a function to the view of every window of a video; see `predict_windows`.

    Args:
        protocol: of one view, as returned by `single_view`.
        function: from a view `(frames, height, width, channels)` and the number of windows still
            to come, to an array.

    Returns:
        `(starts, ends, results)`: seconds `(windows,)`, and float32 `(windows, ...)`.
    """
    processing = processing_of(protocol)
    pace = even_pace(path)
    total, rate = pace.total_frames, pace.rate
    length = window_length(window, frame_span(protocol.sampling), rate)
    step = stride_length(stride, length, rate)
    length = min(length, total)
    starts = window_starts(total, length, step)
    within = processing.sampling(length, training=False).reshape(-1)
    bar = progress_bar(len(starts), "window", verbose)
    results = []
    for clip in window_clips(
        path, starts, within, pace.shown, leading_shrink(processing.transforms)
    ):
        view = processing.normalized(processing.transformed(clip))
        results.append(function(view, len(starts) - len(results) - 1))
        bar.add(1)
    begins = np.asarray(starts) / rate
    return begins, begins + length / rate, np.stack(results).astype("float32")


def window_length(window, span, rate):
    """Frames of a window of the given duration in seconds; see `predict_windows`."""
    if window is None:
        return max(round(SECONDS * rate), span)
    if not window > 0:
        raise ValueError(f"window={window!r}: expected seconds above 0")
    length = max(1, round(window * rate))
    if length < span:
        raise ValueError(
            f"window={window} s is {length} frames at {rate:g} frames per second: the model's "
            f"clips span {span} frames, expected at least {span / rate:.2f} s"
        )
    return length


def stride_length(stride, length, rate):
    """Frames between the starts of windows; see `predict_windows`."""
    if stride is None:
        return max(1, length // 2)
    if not stride > 0:
        raise ValueError(f"stride={stride!r}: expected seconds above 0")
    return max(1, round(stride * rate))


def window_starts(total, length, stride):
    """First frames of the windows; the last window ends with the video."""
    starts = list(range(0, total - length + 1, stride))
    return starts if starts[-1] == total - length else [*starts, total - length]


def window_clips(path, starts, within, shown=None, shrink=None):
    """The frames `within` each window, uint8 `(frames, height, width, 3)`, decoded in one pass.

    Args:
        path: a video file.
        starts: first frame of each window, ascending.
        within: frame indices relative to the start of a window.
        shown: frame of the file for each index, ascending; None takes the indices unchanged.
        shrink: function that downsizes frames.
    """
    windows = np.asarray(starts)[:, None] + within
    windows = windows if shown is None else shown[windows]
    frames = frames_in_order(path, np.unique(windows).tolist())
    buffer = {}
    for number, indices in enumerate(windows):
        while not buffer or max(buffer) < indices.max():
            index, image = next(frames)
            buffer[index] = image if shrink is None else shrink(image[None])[0]
        yield np.stack([buffer[index] for index in indices])
        following = windows[number + 1].min() if number + 1 < len(windows) else np.inf
        buffer = {index: image for index, image in buffer.items() if index >= following}
