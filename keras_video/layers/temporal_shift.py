"""Temporal shift (arXiv:1811.08383): part of the channels moves to neighboring frames."""

import keras
import numpy as np
from keras import ops

from keras_video.layers.devices import is_for_another_runtime, on_jax_gpu
from keras_video.layers.temporal_kernels import pad_time


@keras.saving.register_keras_serializable("keras_video")
class TemporalShift(keras.layers.Layer):
    """Moves some channels to the next or previous frame, without arithmetic (arXiv:1811.08383).

    The first `channels // divisor` channels of a frame come from the next frame, the same number
    after them from the previous frame, the rest are unchanged. Clips are padded with zeros. The
    online form takes only from the previous frame (the first `channels // divisor` channels), so a
    frame can be processed when it arrives.

    Input and output: folded frames `(batch * frames, height, width, channels)`, same dtype.

    Args:
        frames: frames of a clip.
        divisor: `1 / divisor` of the channels moves in each direction; at least 2.
        online: whether frames use only past frames.

    Raises:
        ValueError: if `frames` or `divisor` is too small.
    """

    def __init__(self, frames, divisor=8, online=False, **kwargs):
        super().__init__(**kwargs)
        if frames is None or frames < 1 or divisor < 2:
            raise ValueError(
                f"frames={frames}, divisor={divisor}: expected at least 1 frame and a divisor of "
                "at least 2."
            )
        self.frames = frames
        self.divisor = divisor
        self.online = online

    def call(self, x):
        if is_for_another_runtime():
            return self._among_folded(x)
        _, height, width, channels = ops.shape(x)
        moved, unmoved = ops.split(x, [self.moved_channels(channels)], axis=-1)
        if on_jax_gpu():
            return ops.concatenate([self._by_slices(moved), unmoved], axis=-1)
        # A depthwise convolution of zeros and ones has a far faster gradient on CPUs than slices.
        moved = ops.reshape(moved, (-1, self.frames, height * width, moved.shape[-1]))
        moved = ops.depthwise_conv(
            moved,
            ops.convert_to_tensor(self.shift_kernel(channels), dtype=x.dtype),
            padding="same",
            data_format="channels_last",
        )
        moved = ops.reshape(moved, (-1, height, width, moved.shape[-1]))
        return ops.concatenate([moved, unmoved], axis=-1)

    def _by_slices(self, moved):
        """Shifts by slicing: GPUs have no fast kernel for a convolution of zeros and ones."""
        _, height, width, channels = moved.shape
        clips = ops.reshape(moved, (-1, self.frames, height, width, channels))
        # Channels that come from the next frame, and those that come from the one before.
        following, previous = (None, clips) if self.online else ops.split(clips, 2, axis=-1)
        parts = [] if self.online else [pad_time(following[:, 1:], 0, 1)]
        parts.append(pad_time(previous[:, :-1], 1, 0))
        return ops.reshape(ops.concatenate(parts, axis=-1), (-1, height, width, channels))

    def _among_folded(self, x):
        """Shifts without reshaping, at which runtimes give up their own memory layout."""
        fold = x.shape[-1] // self.divisor
        frame = ops.reshape(ops.arange(ops.shape(x)[0]) % self.frames, (-1, 1, 1, 1))
        others = ((0, 0),) * 3
        parts = []
        if not self.online:
            following = ops.pad(x[1:, ..., :fold], ((0, 1), *others))
            parts.append(following * ops.cast(frame < self.frames - 1, x.dtype))
        moved = self.moved_channels(x.shape[-1])
        previous = ops.pad(x[:-1, ..., moved - fold : moved], ((1, 0), *others))
        parts.append(previous * ops.cast(frame > 0, x.dtype))
        return ops.concatenate([*parts, x[..., moved:]], axis=-1)

    def moved_channels(self, channels):
        """Number of `channels` that move."""
        return channels // self.divisor * (1 if self.online else 2)

    def shift_kernel(self, channels):
        """The kernel `(3, 1, moved channels, 1)`: ones at a channel's source frame."""
        fold = channels // self.divisor
        previous, following = (slice(0, fold), slice(0)) if self.online else (
            slice(fold, 2 * fold), slice(0, fold)
        )  # fmt: skip
        kernel = np.zeros((3, 1, self.moved_channels(channels), 1))
        kernel[0, :, previous] = 1
        kernel[2, :, following] = 1
        return kernel

    def memory(self, input_shape):
        """The state of a stream: the channels of the last frame that move to the next.

        Raises:
            ValueError: if the layer uses future frames.
        """
        if not self.online:
            raise ValueError(f"{self.name} takes channels from the next frame; online=False.")
        *size, channels = input_shape[1:]
        return {"before": ((*size, self.moved_channels(channels)), "float32")}

    def advance(self, x, memory):
        """The result for the next frames of every stream, folded, and the memory after them.

        See `keras_video.layers.causal`.
        """
        before = ops.cast(memory["before"], x.dtype)
        streams, height, width, fold = before.shape
        moved, unmoved = ops.split(x, [fold], axis=-1)
        moved = ops.reshape(moved, (streams, -1, height, width, fold))
        frames = ops.concatenate([ops.expand_dims(before, 1), moved], axis=1)
        moved = ops.reshape(frames[:, :-1], (-1, height, width, fold))
        after = {"before": ops.cast(frames[:, -1], "float32")}
        return ops.concatenate([moved, unmoved], axis=-1), after

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {"frames": self.frames, "divisor": self.divisor, "online": self.online}
        return {**super().get_config(), **config}
