"""Clip transforms and functions that rotate, shear and shift frames; what comes into view has one
level.

The functions take and give uint8 `(frames, height, width, channels)` and interpolate bilinearly.
`fill` is the level of what comes into view, 0 (black) to 255.
"""

import math
from dataclasses import dataclass

import tensorflow as tf

from keras_video.data.transforms.frames import each_frame, uniform


@dataclass(frozen=True)
class Rotate:
    """Rotates all frames of a uint8 clip around their middle by one random angle.

    Args:
        degrees: smallest and largest angle, counter-clockwise.

    Raises:
        ValueError: for angles in the wrong order.
    """

    degrees: tuple[float, float] = (-20.0, 20.0)

    def __post_init__(self):
        low, high = self.degrees
        if not low <= high:
            raise ValueError(f"Rotate: received degrees={self.degrees!r}, expected (low, high)")

    def __call__(self, clip: tf.Tensor, seed) -> tf.Tensor:
        low, high = self.degrees
        degrees = low + (high - low) * uniform(self, seed, 1)[0]
        return each_frame(lambda frames: rotate(frames, degrees), tf.convert_to_tensor(clip))


def rotate(frames, degrees, fill=0):
    """Frames rotated counter-clockwise around their middle."""
    height, width = _float_size(frames)
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    angle = tf.cast(degrees, tf.float32) * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    from_x = (cos, -sin, middle_x - cos * middle_x + sin * middle_y)
    from_y = (sin, cos, middle_y - sin * middle_x - cos * middle_y)
    return _warp(frames, from_x, from_y, fill)


def shear_x(frames, slope, pivot=0.5, fill=0):
    """Lines moved to the left by `slope` times their distance below `pivot`.

    Args:
        pivot: the height that stays where it is: 0 is the upper edge, 1 the lower edge.
    """
    offset = slope * (0.5 - pivot * _float_size(frames)[0])
    return _warp(frames, (1.0, slope, offset), (0.0, 1.0, 0.0), fill)


def shear_y(frames, slope, pivot=0.5, fill=0):
    """Columns moved up by `slope` times their distance right of `pivot`, as in `shear_x`."""
    offset = slope * (0.5 - pivot * _float_size(frames)[1])
    return _warp(frames, (1.0, 0.0, 0.0), (slope, 1.0, offset), fill)


def translate_x(frames, share, fill=0):
    """Frames moved to the left by a share of their width."""
    return _warp(frames, (1.0, 0.0, share * _float_size(frames)[1]), (0.0, 1.0, 0.0), fill)


def translate_y(frames, share, fill=0):
    """Frames moved up by a share of their height."""
    return _warp(frames, (1.0, 0.0, 0.0), (0.0, 1.0, share * _float_size(frames)[0]), fill)


def _float_size(frames):
    size = tf.cast(tf.shape(frames)[1:3], tf.float32)
    return size[0], size[1]


def _warp(frames, from_x, from_y, fill):
    """Pixel (x, y) is taken from `a * x + b * y + c` of `from_x` and `from_y`."""
    numbers = [tf.cast(number, tf.float32) for number in (*from_x, *from_y, 0.0, 0.0)]
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(frames, tf.float32),
        transforms=tf.stack(numbers)[None],
        output_shape=tf.shape(frames)[1:3],
        fill_value=float(fill),
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.ensure_shape(tf.cast(warped + 0.5, tf.uint8), frames.shape)
