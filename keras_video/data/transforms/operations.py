"""The operations that RandAugment and AugMix choose from.

An operation is a function of frames, uint8 `(frames, height, width, 3)`, of a level from 0 to 1 (a
float32 scalar: how strongly), and of three numbers drawn from [0, 1); it gives frames of the same
shape. The lists are those of the libraries that published trainings used, with their arithmetic,
as far as rounding allows.
"""

import functools
import math

import tensorflow as tf

from keras_video.data.transforms import color, levels, warp


def chosen(operations, choice, frames, level, draws):
    """The frames after the operation whose number is `choice`, a scalar tensor."""
    branches = [functools.partial(one, frames, level, draws) for one in operations]
    return tf.ensure_shape(tf.switch_case(choice, branches), frames.shape)


def _plain(function):
    """An operation without strength."""
    return lambda frames, level, draws: function(frames)


def _by(function, start, span):
    """An operation whose strength goes from `start` at level 0 to `start + span` at level 1."""
    return lambda frames, level, draws: function(frames, start + span * level)


def _either(function, start, span):
    """An operation whose strength goes up or down from `start` with the level, at random."""

    def operation(frames, level, draws):
        change = tf.where(draws[0] < 0.5, -span * level, span * level)
        return function(frames, start + change)

    return operation


def _on_floats(adjust):
    """A function of float32 frames as one of uint8 frames."""

    def function(frames, factor):
        return color.to_uint8(adjust(tf.cast(frames, tf.float32), factor))

    return function


_brightness = _on_floats(color.adjust_brightness)
_contrast = _on_floats(color.adjust_contrast)
_saturation = _on_floats(color.adjust_saturation)
_sharpness = _on_floats(color.adjust_sharpness)


def _in_degrees(shear):
    return lambda frames, degrees: shear(frames, tf.tan(degrees * (math.pi / 180)))


def _top_bits(frames, bits):
    return levels.posterize(frames, tf.maximum(tf.cast(bits, tf.int32), 1))


def _bits_less(frames, bits):
    return levels.posterize(frames, 4 - tf.cast(bits, tf.int32))


def _cutout(frames, level, draws):
    """A square of up to a fifth of the short side, gray, its middle anywhere."""
    shape = tf.shape(frames)
    size = tf.cast(shape[1:3], tf.float32)
    half = 0.2 * level * tf.reduce_min(size) / 2
    middle = draws[1:3] * size
    rows = tf.abs(tf.range(size[0]) + 0.5 - middle[0]) < half
    columns = tf.abs(tf.range(size[1]) + 0.5 - middle[1]) < half
    cut = tf.logical_and(rows[:, None], columns[None, :])[None, :, :, None]
    return tf.where(cut, tf.constant(128, tf.uint8), frames)


def _from_the_top(frames, down):
    return levels.solarize(frames, 256 - tf.floor(down))


def _on_gray(function, **arguments):
    """A warp with gray in what comes into view, upper and left edges in place."""
    return functools.partial(function, fill=128, **arguments)


IMGAUG = (
    _either(_in_degrees(warp.shear_x), 0.0, 17.19),
    _either(_in_degrees(warp.shear_y), 0.0, 17.19),
    _either(warp.translate_x, 0.0, 0.2),
    _either(warp.translate_y, 0.0, 0.2),
    _either(warp.rotate, 0.0, 30.0),
    _by(_top_bits, 0.0, 4.0),
    _by(levels.solarize, 0.0, 256.0),
    _by(_saturation, 0.1, 1.8),
    _by(_contrast, 0.1, 1.8),
    _by(_brightness, 0.1, 1.8),
    _by(_sharpness, 0.1, 1.8),
    _plain(levels.autocontrast),
    _plain(levels.equalize),
    _plain(levels.invert),
    _cutout,
)

# The threshold of solarize is meant for pixels from 0 to 1; MMAction2 gave frames of 0 to 255, so
# that all but black is inverted. Shears keep the upper or left edge in place.
_PYTORCHVIDEO_SHAPES = (
    _either(warp.rotate, 0.0, 30.0),
    _by(_bits_less, 0.0, 4.0),
    _by(levels.solarize, 1.0, -1.0),
    _either(functools.partial(warp.shear_x, pivot=0.0), 0.0, 0.3),
    _either(functools.partial(warp.shear_y, pivot=0.0), 0.0, 0.3),
    _plain(levels.autocontrast),
    _plain(levels.equalize),
)

PYTORCHVIDEO = (
    *_PYTORCHVIDEO_SHAPES,
    _plain(levels.invert),
    *(_either(one, 1.0, 0.9) for one in (_brightness, _contrast, _saturation, _sharpness)),
    _either(warp.translate_x, 0.0, 0.45),
    _either(warp.translate_y, 0.0, 0.45),
)

PYTORCHVIDEO_AUG_MIX = (
    *_PYTORCHVIDEO_SHAPES,
    *(_by(one, 0.1, 1.8) for one in (_brightness, _contrast, _saturation, _sharpness)),
    _either(warp.translate_x, 0.0, 1 / 3),
    _either(warp.translate_y, 0.0, 1 / 3),
)

# timm's list of operations that get stronger with the level, as "rand-...-inc1" takes it.
TIMM = (
    _plain(levels.autocontrast),
    _plain(levels.equalize),
    _plain(levels.invert),
    _either(_on_gray(warp.rotate), 0.0, 30.0),
    _by(_bits_less, 0.0, 4.0),
    _by(_from_the_top, 0.0, 256.0),
    _by(levels.solarize_add, 0.0, 110.0),
    *(_either(one, 1.0, 0.9) for one in (_saturation, _contrast, _brightness, _sharpness)),
    _either(_on_gray(warp.shear_x, pivot=0.0), 0.0, 0.3),
    _either(_on_gray(warp.shear_y, pivot=0.0), 0.0, 0.3),
    _either(_on_gray(warp.translate_x), 0.0, 0.45),
    _either(_on_gray(warp.translate_y), 0.0, 0.45),
)
