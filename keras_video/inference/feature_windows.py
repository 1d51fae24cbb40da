"""Features over time: the output of a model's layer for a sliding window over a video."""

import dataclasses

import numpy as np

from keras_video.inference.features import feature_model
from keras_video.inference.single_view import single_view
from keras_video.inference.sliding_window import over_windows


@dataclasses.dataclass(frozen=True, eq=False)
class WindowFeatures:
    """The features of windows of a video, in order of time.

    Attributes:
        starts, ends: seconds from the start of the video, float64 `(windows,)`.
        features: float32 `(windows, channels)`.
    """

    starts: np.ndarray
    ends: np.ndarray
    features: np.ndarray

    def __post_init__(self):
        count = len(self.starts)
        if self.features.ndim != 2 or len(self.features) != count or len(self.ends) != count:
            raise ValueError(
                f"received features of shape {self.features.shape} for {count} windows, expected "
                "(windows, channels)"
            )

    @property
    def duration(self):
        """Seconds from the start of the video to the end of the last window."""
        return float(self.ends[-1])

    def positions(self, seconds):
        """Positions of points in time on the feature axis: 0 is the center of the first window.

        Args:
            seconds: any shape.

        Returns:
            fractional float64 of the same shape, extrapolated before the first and after the last
            window with their spacing.
        """
        return _interpolated(seconds, self._centers, np.arange(len(self.starts), dtype=float))

    def seconds(self, positions):
        """The points in time of positions on the feature axis; the inverse of `positions`."""
        return _interpolated(positions, np.arange(len(self.starts), dtype=float), self._centers)

    @property
    def _centers(self):
        return (self.starts + self.ends) / 2

    def save(self, store, name):
        """Writes the features to a `feature_store` under a name.

        The first two columns there are start and end, so that no second file is needed.
        """
        times = np.stack([self.starts, self.ends], axis=1)
        store.write(name, np.concatenate([times, self.features], axis=1).astype("float64"))

    @classmethod
    def load(cls, store, name):
        """Reads what `save` wrote to a folder of features."""
        columns = store.read(name)
        return cls(columns[:, 0], columns[:, 1], columns[:, 2:].astype("float32"))


def window_features(model, path, *, layer=None, pooling="avg", window=None, stride=None, verbose=0):
    """Features of a sliding window over a video, the input of `ActionFormer`.

    Args:
        model: a video classifier with a `protocol`.
        path: a video file.
        layer, pooling: see `feature_model`; "avg" or "max".
        window, stride, verbose: see `predict_windows`.

    Returns:
        `WindowFeatures`.

    Raises:
        ValueError: as `feature_model` and `predict_windows`; for `pooling="none"`.
        DecodeError: if the file cannot be read.
    """
    if pooling == "none":
        raise ValueError("received pooling='none', expected 'avg' or 'max': one row per window")
    features = feature_model(model, layer, pooling)

    def of_view(view, _):
        return features(view[None])[0]

    return WindowFeatures(*over_windows(single_view(model), path, of_view, window, stride, verbose))


def _interpolated(x, known, values):
    """Linear interpolation between known points, and extrapolation beyond them."""
    x = np.asarray(x, np.float64)
    if len(known) == 1:
        return x - known[0] + values[0]
    first = (values[1] - values[0]) / (known[1] - known[0])
    # The last window ends with the video and may be closer to the one before.
    before = max(0, len(known) - 3)
    last = (values[-1] - values[before]) / (known[-1] - known[before])
    inside = np.interp(x, known, values)
    inside = np.where(x < known[0], values[0] + (x - known[0]) * first, inside)
    return np.where(x > known[-1], values[-1] + (x - known[-1]) * last, inside)
