"""Clip transforms and functions that rotate, shear and translate frames.

Input and output are uint8 `(frames, height, width, channels)`; interpolation is bilinear. `fill` is
the value of exposed pixels, 0 (black) to 255.
"""

import math
from dataclasses import dataclass

import tensorflow as tf

from keras_video.data.transforms.frames import each_frame, uniform


@dataclass(frozen=True)
class Rotate:
    """Rotates all frames of a uint8 clip around their center by the same random angle.

    Args:
        degrees: minimum and maximum angle, counterclockwise.

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
    """Rotates frames counterclockwise around their center."""
    height, width = _float_size(frames)
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    angle = tf.cast(degrees, tf.float32) * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    from_x = (cos, -sin, center_x - cos * center_x + sin * center_y)
    from_y = (sin, cos, center_y - sin * center_x - cos * center_y)
    return _warp(frames, from_x, from_y, fill)


def shear_x(frames, slope, pivot=0.5, fill=0):
    """Shifts rows to the left by `slope` times their distance below `pivot`.

    Args:
        pivot: relative height of the fixed row: 0 is the top edge, 1 the bottom edge.
    """
    offset = slope * (0.5 - pivot * _float_size(frames)[0])
    return _warp(frames, (1.0, slope, offset), (0.0, 1.0, 0.0), fill)


def shear_y(frames, slope, pivot=0.5, fill=0):
    """Shifts columns up by `slope` times their distance right of `pivot`, as in `shear_x`."""
    offset = slope * (0.5 - pivot * _float_size(frames)[1])
    return _warp(frames, (1.0, 0.0, 0.0), (slope, 1.0, offset), fill)


def translate_x(frames, fraction, fill=0):
    """Shifts frames to the left by a fraction of their width."""
    return _warp(frames, (1.0, 0.0, fraction * _float_size(frames)[1]), (0.0, 1.0, 0.0), fill)


def translate_y(frames, fraction, fill=0):
    """Shifts frames up by a fraction of their height."""
    return _warp(frames, (1.0, 0.0, 0.0), (0.0, 1.0, fraction * _float_size(frames)[0]), fill)


def _float_size(frames):
    size = tf.cast(tf.shape(frames)[1:3], tf.float32)
    return size[0], size[1]


def _warp(frames, from_x, from_y, fill):
    """Output pixel (x, y) is sampled at `a * x + b * y + c`, with `from_x` and `from_y`."""
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
