"""Grouped convolution over time."""

import keras
from keras import ops

from keras_video.layers.convolution import he_normal_fan_out
from keras_video.layers.temporal_kernels import sum_over_taps


@keras.saving.register_keras_serializable("keras_video")
class GroupedTemporalConv(keras.layers.Layer):
    """Convolution over time whose groups of output channels see a group of input channels each.

    A convolution of kernel `(taps, 1, 1)` with `groups`, as a matrix product per group and tap:
    TensorFlow's CPU has no fast grouped convolution.

    Input: `(n, t, h, w, c)`. Output: `(n, t, h, w, filters)`; the clip is padded with zeros.

    Args:
        filters: channels of the output.
        taps: odd number of taps over time.
        groups: number of groups; a divisor of the channels of input and output.
        use_bias: whether to add a learned offset per filter.
        kernel_initializer: `he_normal_fan_out()` if not given.
    """

    def __init__(
        self, filters, taps=1, groups=1, use_bias=False, kernel_initializer=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.taps = taps
        self.groups = groups
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer or he_normal_fan_out())

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels % self.groups or self.filters % self.groups:
            raise ValueError(
                f"groups={self.groups}: expected a divisor of {channels} channels and "
                f"{self.filters} filters."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.taps, 1, 1, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x):
        # (taps, 1, 1, c/groups, filters) -> (taps, groups, c/groups, filters/groups)
        kernel = ops.reshape(self.kernel, (self.taps, -1, self.groups, self.filters // self.groups))
        kernels = ops.unstack(ops.transpose(kernel, (0, 2, 1, 3)), self.taps)

        def convolve(frames, tap):
            shape = ops.shape(frames)
            frames = ops.reshape(frames, (-1, self.groups, shape[-1] // self.groups))
            frames = ops.matmul(ops.transpose(frames, (1, 0, 2)), kernels[tap])
            frames = ops.transpose(frames, (1, 0, 2))  # (groups, n, c) -> (n, groups, c)
            return ops.reshape(frames, (-1, *shape[1:-1], self.filters))

        x = sum_over_taps(x, self.taps, 1, convolve)
        return x if self.bias is None else x + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        config = {
            "filters": self.filters,
            "taps": self.taps,
            "groups": self.groups,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
        return {**super().get_config(), **config}
