"""Grouped convolution over time."""

import keras
from keras import ops

from keras_video.layers.convolution import he_normal_fan_out
from keras_video.layers.temporal_kernels import sum_over_kernel


@keras.saving.register_keras_serializable("keras_video")
class GroupedTemporalConv(keras.layers.Layer):
    """Temporal convolution with channel groups.

    A convolution with kernel `(kernel_size, 1, 1)` and `groups`, computed as a matrix product per
    group and kernel position: TensorFlow has no fast grouped convolution on CPUs.

    Input: `(n, t, h, w, c)`. Output: `(n, t, h, w, filters)`; the clip is padded with zeros.

    Args:
        filters: channels of the output.
        kernel_size: temporal kernel size, odd.
        groups: number of groups; a divisor of the channels of input and output.
        use_bias: whether to add a learned bias per filter.
        kernel_initializer: `he_normal_fan_out()` if not given.
    """

    def __init__(
        self, filters, kernel_size=1, groups=1, use_bias=False, kernel_initializer=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
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
            shape=(self.kernel_size, 1, 1, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x):
        # (size, 1, 1, c/groups, filters) -> (size, groups, c/groups, filters/groups)
        width = self.filters // self.groups
        kernel = ops.reshape(self.kernel, (self.kernel_size, -1, self.groups, width))
        kernels = ops.unstack(ops.transpose(kernel, (0, 2, 1, 3)), self.kernel_size)

        def convolve(frames, position):
            shape = ops.shape(frames)
            frames = ops.reshape(frames, (-1, self.groups, shape[-1] // self.groups))
            frames = ops.matmul(ops.transpose(frames, (1, 0, 2)), kernels[position])
            frames = ops.transpose(frames, (1, 0, 2))  # (groups, n, c) -> (n, groups, c)
            return ops.reshape(frames, (-1, *shape[1:-1], self.filters))

        x = sum_over_kernel(x, self.kernel_size, 1, convolve)
        return x if self.bias is None else x + self.bias

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.filters)

    def get_config(self):
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "groups": self.groups,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
        return {**super().get_config(), **config}
