"""Features over time: what a layer of a model gives of a window that slides over a video."""

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
        """Where points in time lie among the features: 0 in the middle of the first window.

        Args:
            seconds: any shape.

        Returns:
            float64, with fractions, of the same shape; before the first and behind the last as far
            apart as the windows are.
        """
        return _interpolated(seconds, self._middles, np.arange(len(self.starts), dtype=float))

    def seconds(self, positions):
        """The points in time of positions among the features; undoes `positions`."""
        return _interpolated(positions, np.arange(len(self.starts), dtype=float), self._middles)

    @property
    def _middles(self):
        return (self.starts + self.ends) / 2

    def save(self, store, name):
        """Writes them to a `feature_store` under a name.

        Their two first columns there are start and end, so that nothing has to be kept beside.
        """
        times = np.stack([self.starts, self.ends], axis=1)
        store.write(name, np.concatenate([times, self.features], axis=1).astype("float64"))

    @classmethod
    def load(cls, store, name):
        """What `save` wrote to a folder of features."""
        columns = store.read(name)
        return cls(columns[:, 0], columns[:, 1], columns[:, 2:].astype("float32"))


def window_features(model, path, *, layer=None, pooling="avg", window=None, stride=None, verbose=0):
    """Features of a window that slides over a video, as `ActionFormer` takes them.

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
        raise ValueError("received pooling='none', expected 'avg' or 'max': one row a window")
    features = feature_model(model, layer, pooling)

    def of_view(view, _):
        return features(view[None])[0]

    return WindowFeatures(*over_windows(single_view(model), path, of_view, window, stride, verbose))


def _interpolated(x, known, values):
    """Values between known points, and in a straight line beyond them."""
    x = np.asarray(x, np.float64)
    if len(known) == 1:
        return x - known[0] + values[0]
    first = (values[1] - values[0]) / (known[1] - known[0])
    # The last window ends with the video and may be nearer to the one before.
    before = max(0, len(known) - 3)
    last = (values[-1] - values[before]) / (known[-1] - known[before])
    inside = np.interp(x, known, values)
    inside = np.where(x < known[0], values[0] + (x - known[0]) * first, inside)
    return np.where(x > known[-1], values[-1] + (x - known[-1]) * last, inside)
