"""Temporal adaptive module (arXiv:2005.06803): a temporal kernel generated from the clip."""

import keras
from keras import layers, ops

from keras_video.layers.batch_norm import BatchNormalization
from keras_video.layers.convolution import torch_default


@keras.saving.register_keras_serializable("keras_video")
class TemporalAdaptiveModule(keras.layers.Layer):
    """Gates frames, then convolves them over time with a kernel generated per clip and channel.

    The gate (local branch) is a sigmoid per frame and channel from a temporal convolution of the
    means over space. The kernel (global branch) is a softmax over its `kernel_size` weights, from a
    small network over the same means (arXiv:2005.06803). Both are initialized as in the
    published training: PyTorch's default, not its setting `init_std=0.001`.

    Input and output: folded frames `(batch * frames, height, width, channels)`, same dtype.

    Args:
        frames: frames of a clip; the weights depend on it.
        kernel_size: temporal size of the adaptive kernel and of the local branch's convolution.
        widening: ratio of the global branch's width to the number of frames (alpha in the paper).
        reduction: ratio of the channels to the local branch's width (beta in the paper).
    """

    def __init__(self, frames, kernel_size=3, widening=2, reduction=4, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames
        self.kernel_size = kernel_size
        self.widening = widening
        self.reduction = reduction

    def build(self, input_shape):
        channels = input_shape[-1]
        narrow = channels // self.reduction
        width = self.widening * self.frames

        def options(fan_in):
            initializer = torch_default(fan_in)["kernel_initializer"]
            return {
                "use_bias": False,
                "dtype": self.dtype_policy,
                "kernel_initializer": initializer,
            }

        def norm(name):
            return BatchNormalization(
                momentum=0.9, epsilon=1e-5, dtype=self.dtype_policy, name=name
            )

        self.kernel_layers = chained(
            (None, channels, self.frames),
            layers.Dense(width, name="G_0", **options(self.frames)),
            norm("G_1"),
            layers.Dense(self.kernel_size, name="G_3", **options(width)),
        )
        self.gate_layers = chained(
            (None, self.frames, channels),
            layers.Conv1D(
                narrow,
                self.kernel_size,
                padding="same",
                name="L_0",
                **options(channels * self.kernel_size),
            ),
            norm("L_1"),
            layers.Conv1D(channels, 1, name="L_3", **options(narrow)),
        )

    def call(self, x, training=None):
        _, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, self.frames, height * width, channels))
        pooled = ops.mean(x, axis=2)  # (b, t, c)
        y = self.convolve(x, self.gate(pooled, training), self.kernel(pooled, training))
        return ops.reshape(y, (-1, height, width, channels))

    def gate(self, pooled, training=None):
        """The gate `(b, t, c)` from means `(b, t, c)`."""
        reduce, norm, expand = self.gate_layers
        x = ops.relu(norm(reduce(pooled), training=training))
        return ops.sigmoid(expand(x))

    def kernel(self, pooled, training=None):
        """Kernels `(b, c, kernel_size)` from means `(b, t, c)`."""
        widen, norm, narrow = self.kernel_layers
        x = widen(ops.transpose(pooled, (0, 2, 1)))  # (b, c, width)
        x = ops.relu(norm(x, training=training))
        return ops.softmax(narrow(x))

    def convolve(self, x, gate, kernel):
        """Gates `(b, t, positions, c)` by `(b, t, c)` and convolves it over time with kernels
        `(b, c, kernel_size)`.

        Frame by frame: the channels of a depthwise convolution would be those of all clips, whose
        number would have to be known for ONNX and LiteRT.
        """
        frames = ops.unstack(x, self.frames, axis=1)
        kernels = ops.unstack(kernel[:, None], self.kernel_size, axis=-1)
        weights = [ops.unstack((gate * k)[:, :, None], self.frames, axis=1) for k in kernels]
        before = (self.kernel_size - 1) // 2

        def convolved(time):
            first = time - before
            near = range(max(0, first), min(self.frames, first + self.kernel_size))
            return sum(frames[other] * weights[other - first][other] for other in near)

        return ops.stack([convolved(time) for time in range(self.frames)], axis=1)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {
            "frames": self.frames,
            "kernel_size": self.kernel_size,
            "widening": self.widening,
            "reduction": self.reduction,
        }
        return {**super().get_config(), **config}


def chained(input_shape, *parts):
    """The layers, built in sequence from `input_shape`."""
    for part in parts:
        part.build(input_shape)
        input_shape = part.compute_output_shape(input_shape)
    return parts
