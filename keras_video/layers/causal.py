"""Layers of causal networks, which store what later frames need of earlier ones in a memory.

Such a layer can be used in two ways, with equal results. Called on a clip, it starts with an empty
memory. For a video in chunks, `memory` describes the state passed from one chunk to the next, and
`advance` maps a chunk and the memory to the result and the updated memory. `StreamStep` wraps this
second form as a layer; `keras_video.inference.Stream` runs networks of such layers.

The memory is a dictionary of arrays whose first axis is the stream. It starts as zeros.
"""

import math

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class CausalPadding(keras.layers.Layer):
    """Prepends the preceding frames to a clip; zeros before the first frame of a video.

    Input: `(n, t, ...)`. Output: `(n, frames + t, ...)`, same dtype.

    Args:
        frames: number of frames to prepend, at least 1.

    Raises:
        ValueError: if `frames` is below 1.
    """

    online = True

    def __init__(self, frames, **kwargs):
        super().__init__(**kwargs)
        if frames < 1:
            raise ValueError(f"frames={frames}: expected at least 1.")
        self.padding_frames = frames

    def call(self, x):
        return ops.pad(x, [(0, 0), (self.padding_frames, 0), *((0, 0),) * (len(x.shape) - 2)])

    def memory(self, input_shape):
        """`{name: (shape without streams, dtype)}` for inputs of this shape."""
        return {"buffer": ((self.padding_frames, *input_shape[2:]), "float32")}

    def advance(self, x, memory):
        """The result for the next frames, and the memory after them."""
        x = ops.concatenate([ops.cast(memory["buffer"], x.dtype), x], axis=1)
        return x, {"buffer": ops.cast(x[:, -self.padding_frames :], "float32")}

    def compute_output_shape(self, input_shape):
        batch, frames, *rest = input_shape
        return (batch, None if frames is None else frames + self.padding_frames, *rest)

    def get_config(self):
        return {**super().get_config(), "frames": self.padding_frames}


@keras.saving.register_keras_serializable("keras_video")
class TemporalDepthwiseConv(keras.layers.Layer):
    """Depthwise temporal convolution without padding.

    Input: `(n, t, h, w, c)`. Output: `(n, t - kernel_size + 1, h, w, c)`.

    Args:
        kernel_size: temporal kernel size.
        use_bias: whether to add a learned bias per channel.
    """

    def __init__(self, kernel_size, use_bias=False, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = kernel_size
        self.use_bias = use_bias

    def build(self, input_shape):
        channels = input_shape[-1]
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.kernel_size, 1, channels, 1),
            initializer=he_normal_of(self.kernel_size),
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(channels,), initializer="zeros")

    def call(self, x):
        _, frames, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, frames, height * width, channels))
        kernel = ops.convert_to_tensor(self.kernel)
        x = ops.depthwise_conv(x, kernel, 1, padding="valid", data_format="channels_last")
        x = ops.reshape(x, (-1, frames - self.kernel_size + 1, height, width, channels))
        return x if self.bias is None else x + self.bias

    def compute_output_shape(self, input_shape):
        batch, frames, *rest = input_shape
        return (batch, None if frames is None else frames - self.kernel_size + 1, *rest)

    def get_config(self):
        config = {"kernel_size": self.kernel_size, "use_bias": self.use_bias}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_video")
class CumulativeMean(keras.layers.Layer):
    """Mean over each frame and all frames before it, computed in float32.

    Input and output: `(n, t, ...)`, same dtype.
    """

    online = True

    def call(self, x):
        return self._means(x, cumulative_sum(ops.cast(x, "float32")), ops.zeros((1,), "int32"))

    def memory(self, input_shape):
        """As `CausalPadding.memory`: the sum of all frames, and their number."""
        return {"buffer": ((1, *input_shape[2:]), "float32"), "frame_count": ((), "int32")}

    def advance(self, x, memory):
        """As `CausalPadding.advance`."""
        sums = memory["buffer"] + cumulative_sum(ops.cast(x, "float32"))
        count = memory["frame_count"]
        updated = {"buffer": sums[:, -1:], "frame_count": count + ops.shape(x)[1]}
        return self._means(x, sums, count), updated

    def _means(self, x, sums, count):
        numbers = frame_numbers(count, ops.shape(x)[1]) + 1
        shape = (-1, ops.shape(x)[1], *(1,) * (len(x.shape) - 2))
        return ops.cast(sums / ops.reshape(ops.cast(numbers, "float32"), shape), x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("keras_video")
class TemporalMean(keras.layers.Layer):
    """The mean over the frames of a clip, computed in float32.

    Input: `(n, t, ...)`. Output: `(n, ...)`, same dtype.

    Args:
        window: in a stream, the mean is over this many latest frames; `None` for all. The mean of
            a clip is always over all its frames.

    Raises:
        ValueError: if `window` is below 1.
    """

    online = True

    def __init__(self, window=None, **kwargs):
        super().__init__(**kwargs)
        if window is not None and window < 1:
            raise ValueError(f"window={window}: expected at least 1 frame, or None.")
        self.window = window

    def call(self, x):
        return ops.cast(ops.mean(ops.cast(x, "float32"), axis=1), x.dtype)

    def memory(self, input_shape):
        """As `CausalPadding.memory`: the sum of all frames or the latest ones, and their number."""
        count = {"frame_count": ((), "int32")}
        if self.window == 1:
            return count
        length = 1 if self.window is None else self.window - 1
        return {"buffer": ((length, *input_shape[2:]), "float32"), **count}

    def advance(self, x, memory):
        """As `CausalPadding.advance`."""
        count = memory["frame_count"] + ops.shape(x)[1]
        updated = {"frame_count": count}
        frames = ops.cast(x, "float32")
        if "buffer" in memory:
            frames = ops.concatenate([memory["buffer"], frames], axis=1)
        if self.window is not None:
            frames = frames[:, -self.window :]
        total = ops.sum(frames, axis=1)
        if self.window is None:
            updated = {"buffer": ops.expand_dims(total, 1), **updated}
        elif self.window > 1:
            updated = {"buffer": frames[:, 1:], **updated}
        averaged = count if self.window is None else ops.minimum(count, self.window)
        shape = (-1, *(1,) * (len(x.shape) - 2))
        return ops.cast(total / ops.reshape(ops.cast(averaged, "float32"), shape), x.dtype), updated

    def compute_output_shape(self, input_shape):
        batch, _, *rest = input_shape
        return (batch, *rest)

    def get_config(self):
        return {**super().get_config(), "window": self.window}


@keras.saving.register_keras_serializable("keras_video")
class FramePositions(keras.layers.Layer):
    """Adds a sine code of the frame's number in the video, times a learned scalar.

    For frame `p`, counted from 0, and `c` channels the angles are `p / 10000 ** (2 * (i // 2) / c)`
    for channel `i`. The code is the sines at the even `i`, then the cosines at the odd ones
    (arXiv:1706.03762, without alternation). The scalar starts at 0.

    Input and output: `(n, t, ..., c)` of even `c`, same dtype.
    """

    online = True

    def build(self, input_shape):
        channels = input_shape[-1]
        self.scale = self.add_weight(name="scale", shape=(), initializer="zeros")
        exponents = 2 * (np.arange(0, channels, 2) // 2) / channels
        self._rates = (10000.0**-exponents).astype("float32")

    def call(self, x):
        return self._encode(x, ops.zeros((1,), "int32"))

    def memory(self, input_shape):
        """As `CausalPadding.memory`: the number of frames."""
        return {"frame_count": ((), "int32")}

    def advance(self, x, memory):
        """As `CausalPadding.advance`."""
        count = memory["frame_count"]
        return self._encode(x, count), {"frame_count": count + ops.shape(x)[1]}

    def _encode(self, x, count):
        frames = ops.shape(x)[1]
        numbers = ops.cast(frame_numbers(count, frames), "float32")
        angles = ops.expand_dims(numbers, -1) * ops.convert_to_tensor(self._rates)
        code = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        shape = (-1, frames, *(1,) * (len(x.shape) - 3), code.shape[-1])
        code = ops.reshape(code, shape) * ops.cast(self.scale, "float32")
        return x + ops.cast(code, x.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("keras_video")
class StreamStep(keras.layers.Layer):
    """A causal layer wrapped for videos that arrive in chunks.

    Call with a list: the next frames, then the arrays of the memory. Output: the result and the
    arrays of the updated memory.

    Args:
        layer: a layer with `memory` and `advance`. It becomes part of this one.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(**{"name": layer.name, "dtype": layer.dtype_policy, **kwargs})
        # Sums and counts keep full precision when the network computes in half precision.
        self.autocast = False
        self.layer = layer

    def build(self, input_shape):
        if not self.layer.built:
            self.layer.build(input_shape[0])
        self._names = tuple(self.layer.memory(input_shape[0]))

    def call(self, inputs):
        x, *memory = inputs
        y, updated = self.layer.advance(x, dict(zip(self._names, memory, strict=True)))
        return [y, *(updated[name] for name in self._names)]

    def compute_output_spec(self, inputs):
        x, *memory = inputs
        if not self.built:
            self.build([tensor.shape for tensor in inputs])
        shape = self.layer.compute_output_shape(x.shape)
        specs = [keras.KerasTensor(tensor.shape, tensor.dtype) for tensor in memory]
        return [keras.KerasTensor(shape, x.dtype), *specs]

    def get_config(self):
        config = {"layer": keras.saving.serialize_keras_object(self.layer)}
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})


def cumulative_sum(x):
    """Cumulative sum along time; skipped for a single frame."""
    return x if x.shape[1] == 1 else ops.cumsum(x, axis=1)


def frame_numbers(count, frames):
    """Numbers `(n, frames)` of the next frames in their videos, after `count` frames `(n,)`."""
    return ops.expand_dims(count, 1) + ops.expand_dims(ops.arange(frames, dtype="int32"), 0)


def he_normal_of(fan_in):
    """He normal (arXiv:1502.01852) for kernels with `fan_in` weights per output channel.

    Keras counts the channels of depthwise kernels as inputs of each output.
    """
    truncated = 0.87962566103423978  # deviation of a unit normal truncated at two deviations
    return keras.initializers.TruncatedNormal(stddev=math.sqrt(2 / fan_in) / truncated)
