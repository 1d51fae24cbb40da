"""The mean over a sliding window of a clip."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class SlidingMean(keras.layers.Layer):
    """The mean of a clip's features over a sliding window with stride 1.

    Input: `(n, t, h, w, c)`. Output: `(n, t - a + 1, h - b + 1, w - c + 1, c)` for a window of
    `(a, b, c)`. A window longer than the clip along an axis is cut to its length, so that one
    position is left; along axes of unknown length the clip must be at least as long as the window.

    The mean over space is taken before the one over time, each as 2-D pooling: the same result, and
    exportable where 3-D pooling is not.

    Args:
        window: frames, height and width of the window.
    """

    def __init__(self, window, **kwargs):
        super().__init__(**kwargs)
        self.window = tuple(window)

    def call(self, x):
        time, *space = self._fitted(x.shape)
        _, frames, *image = ops.shape(x)
        x = ops.reshape(x, (-1, *image))  # (n, t, h, w, c) -> (n*t, h, w, c)
        x = ops.average_pool(x, tuple(space), 1, data_format="channels_last")
        _, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, frames, height * width, channels))
        x = ops.average_pool(x, (time, 1), 1, data_format="channels_last")
        return ops.reshape(x, (-1, ops.shape(x)[1], height, width, channels))

    def _fitted(self, shape):
        """The window, cut to the clip."""
        return tuple(
            size if length is None else min(size, length)
            for size, length in zip(self.window, shape[1:-1], strict=True)
        )

    def compute_output_shape(self, input_shape):
        batch, *lengths, channels = input_shape
        slid = (
            None if length is None else length - size + 1
            for length, size in zip(lengths, self._fitted(input_shape), strict=True)
        )
        return (batch, *slid, channels)

    def get_config(self):
        return {**super().get_config(), "window": self.window}
