"""Temporal shift (arXiv:1811.08383): part of the channels moves to neighbouring frames."""

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class TemporalShift(keras.layers.Layer):
    """Moves some channels to the frame before or after, without arithmetic (arXiv:1811.08383).

    The first `channels // divisor` channels of a frame come from the next frame, as many after
    them from the frame before, the rest stay. Beyond the ends of a clip there are zeros. The
    online form takes only from the frame before (the first `channels // divisor` channels), so a
    frame can be processed when it arrives.

    Input and output: folded frames `(batch * frames, height, width, channels)`, same dtype.

    Args:
        frames: frames of a clip.
        divisor: part of the channels that moves in each direction, at least 2.
        online: whether frames may only see the past.

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
        _, height, width, channels = ops.shape(x)
        moved, kept = ops.split(x, [self.moved_channels(channels)], axis=-1)
        # A depthwise convolution of zeros and ones has a far faster gradient on CPUs than slices.
        moved = ops.reshape(moved, (-1, self.frames, height * width, moved.shape[-1]))
        moved = ops.depthwise_conv(
            moved,
            ops.convert_to_tensor(self.taps(channels), dtype=x.dtype),
            padding="same",
            data_format="channels_last",
        )
        moved = ops.reshape(moved, (-1, height, width, moved.shape[-1]))
        return ops.concatenate([moved, kept], axis=-1)

    def moved_channels(self, channels):
        """How many of `channels` move."""
        return channels // self.divisor * (1 if self.online else 2)

    def taps(self, channels):
        """The kernel `(3, 1, moved channels, 1)`: ones where a channel's frame comes from."""
        fold = channels // self.divisor
        previous, following = (slice(0, fold), slice(0)) if self.online else (
            slice(fold, 2 * fold), slice(0, fold)
        )  # fmt: skip
        taps = np.zeros((3, 1, self.moved_channels(channels), 1))
        taps[0, :, previous] = 1
        taps[2, :, following] = 1
        return taps

    def streaming(self):
        """A layer of the same name that does this to frames as they come.

        Raises:
            ValueError: if the layer looks ahead.
        """
        if not self.online:
            raise ValueError(f"{self.name} takes channels from the next frame; online=False.")
        return StreamingShift(self.divisor, dtype=self.dtype_policy, name=self.name)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {"frames": self.frames, "divisor": self.divisor, "online": self.online}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("keras_video")
class StreamingShift(keras.layers.Layer):
    """The online `TemporalShift` for one frame at a time, with the frame before as its state.

    Input and output: the next frame of each stream `(streams, height, width, channels)`, all
    known. Before the first frame the state is zeros.

    Args:
        divisor: part of the channels that comes from the frame before.
    """

    def __init__(self, divisor=8, **kwargs):
        super().__init__(**kwargs)
        self.divisor = divisor

    def build(self, input_shape):
        *place, channels = input_shape
        self.before = self.add_weight(
            shape=(*place, channels // self.divisor),
            initializer="zeros",
            trainable=False,
            name="before",
        )

    def call(self, x):
        moved, kept = ops.split(x, [self.before.shape[-1]], axis=-1)
        x = ops.concatenate([ops.cast(self.before, x.dtype), kept], axis=-1)
        self.before.assign(moved)
        return x

    def reset(self):
        """Forgets the frame before."""
        self.before.assign(ops.zeros(self.before.shape, self.before.dtype))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "divisor": self.divisor}
