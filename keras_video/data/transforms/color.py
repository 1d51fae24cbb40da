"""Clip transforms and functions for color, brightness and sharpness."""

import functools
from dataclasses import dataclass

import tensorflow as tf

from keras_video.data.transforms.frames import check_rgb, fold_in, frame_size, uniform

# Luma weights of red, green and blue (ITU-R BT.601).
_LUMA = (0.2989, 0.587, 0.114)


@dataclass(frozen=True)
class ColorJitter:
    """Randomly changes brightness, contrast, saturation and hue of a clip, in random order.

    The arithmetic is that of MMAction2's `ColorJitter`, which draws the order only once per
    process. Input and output are uint8 RGB clips.

    Args:
        brightness: maximum relative change, from 0 to 1; 0.5 draws a factor from 0.5 to 1.5.
        contrast: likewise for the difference from the frame's mean brightness.
        saturation: likewise for the difference from the pixel's brightness.
        hue: maximum change, from 0 to 0.5; multiplied by 255, it is in units of OpenCV's hue, which
            ranges to 180: 0.1 shifts the hue by up to 25 / 180 of the color circle.

    Raises:
        ValueError: for arguments out of range, or clips that are not uint8 with three channels.
    """

    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.1

    def __post_init__(self):
        for name, limit in (("brightness", 1), ("contrast", 1), ("saturation", 1), ("hue", 0.5)):
            if not 0 <= getattr(self, name) <= limit:
                raise ValueError(
                    f"ColorJitter: received {name}={getattr(self, name)!r}, expected 0 to {limit}"
                )

    def __call__(self, clip: tf.Tensor, seed) -> tf.Tensor:
        clip = check_rgb(self, clip)
        draws = uniform(self, seed, 8)
        limits = (self.brightness, self.contrast, self.saturation, self.hue)
        changes = (2 * draws[:4] - 1) * limits
        return self.jitter(clip, changes + (1, 1, 1, 0), tf.argsort(draws[4:]))

    @staticmethod
    def jitter(clip: tf.Tensor, factors: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
        """Applies the given changes to a clip.

        Args:
            clip: uint8 (..., height, width, 3).
            factors: float32 (4,): factors for brightness, contrast and saturation, change of hue.
            order: int32 (4,): indices of the changes (0 brightness, 1 contrast, ...) in order.
        """
        changes = (adjust_brightness, adjust_contrast, adjust_saturation, _change_hue)
        changed = tf.cast(clip, tf.float32)
        for position in range(4):
            branches = [
                functools.partial(change, changed, factors[number])
                for number, change in enumerate(changes)
            ]
            changed = tf.switch_case(order[position], branches)
        return tf.ensure_shape(to_uint8(changed), clip.shape)


@dataclass(frozen=True)
class PixelDropout:
    """Sets a random fraction of the pixels to 0, the same pixels in all frames.

    Args:
        share: minimum and maximum fraction of the pixels, from 0 to 1.

    Raises:
        ValueError: for arguments out of range.
    """

    share: tuple[float, float] = (0.0, 0.05)

    def __post_init__(self):
        low, high = self.share
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"PixelDropout: received share={self.share!r}, expected (low, high) from 0 to 1"
            )

    def __call__(self, clip: tf.Tensor, seed) -> tf.Tensor:
        clip = tf.convert_to_tensor(clip)
        low, high = self.share
        fraction = low + (high - low) * uniform(self, seed, 1)[0]
        height, width = frame_size(clip)
        kept = tf.random.stateless_uniform([height, width, 1], fold_in(seed, 1)) >= fraction
        return clip * tf.cast(kept, clip.dtype)


def to_uint8(frames):
    """Converts float frames to uint8, clipped to 0 to 255 and truncated."""
    return tf.cast(tf.clip_by_value(frames, 0.0, 255.0), tf.uint8)


def grayscale(frames):
    """Luma of float32 frames `(..., 3)`, as `(..., 1)`."""
    return tf.reduce_sum(frames * _LUMA, axis=-1, keepdims=True)


def adjust_brightness(frames, factor):
    """Scales the brightness of float32 frames; not clipped."""
    return frames * factor


def adjust_contrast(frames, factor):
    """Scales the difference of float32 frames from each frame's mean brightness."""
    mean = tf.reduce_mean(grayscale(frames), axis=[-3, -2, -1], keepdims=True)
    return factor * frames + (1 - factor) * mean


def adjust_saturation(frames, factor):
    """Scales the difference of float32 frames from their grayscale version."""
    return factor * frames + (1 - factor) * grayscale(frames)


def adjust_hue(frames, turns):
    """Shifts the hue of float32 frames (0 to 255) by `turns` of the color circle."""
    return tf.raw_ops.AdjustHue(images=tf.clip_by_value(frames, 0.0, 255.0), delta=turns)


def adjust_sharpness(frames, factor):
    """Sharpens float32 frames `(frames, height, width, channels)`; 0 smooths, 1 has no effect.

    Border pixels are unchanged.
    """
    channels = frames.shape[-1]
    kernel = tf.constant([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]) / 13
    kernel = tf.tile(kernel[:, :, None, None], [1, 1, channels, 1])
    smooth = tf.nn.depthwise_conv2d(frames, kernel, [1, 1, 1, 1], "VALID")
    inner = frames[:, 1:-1, 1:-1]
    change = (1 - factor) * (tf.round(smooth) - inner)
    return frames + tf.pad(change, [[0, 0], [1, 1], [1, 1], [0, 0]])


def _change_hue(frames, change):
    return adjust_hue(frames, tf.cast(tf.cast(change * 255, tf.int32), tf.float32) / 180)
