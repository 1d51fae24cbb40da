"""The operations that RandAugment and AugMix choose from.

An operation is a function of frames, uint8 `(frames, height, width, 3)`, a level from 0 to 1 (a
float32 scalar, the strength) and three numbers drawn from [0, 1); it returns frames of the same
shape. The lists are those of the libraries used in published trainings, with the same arithmetic up
to rounding.
"""

import functools
import math

import tensorflow as tf

from keras_video.data.transforms import color, levels, warp


def apply_chosen(operations, choice, frames, level, draws):
    """Applies the operation with the index `choice`, a scalar tensor, to frames."""
    branches = [functools.partial(operation, frames, level, draws) for operation in operations]
    return tf.ensure_shape(tf.switch_case(choice, branches), frames.shape)


def _plain(function):
    """An operation without strength."""
    return lambda frames, level, draws: function(frames)


def _linear(function, start, span):
    """An operation with a strength from `start` at level 0 to `start + span` at level 1."""
    return lambda frames, level, draws: function(frames, start + span * level)


def _signed(function, start, span):
    """An operation whose strength randomly increases or decreases from `start` with the level."""

    def operation(frames, level, draws):
        change = tf.where(draws[0] < 0.5, -span * level, span * level)
        return function(frames, start + change)

    return operation


def _on_floats(adjust):
    """Converts a function of float32 frames to one of uint8 frames."""

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


def _fewer_bits(frames, bits):
    return levels.posterize(frames, 4 - tf.cast(bits, tf.int32))


def _cutout(frames, level, draws):
    """Fills a square of up to a fifth of the short side with gray, at a random position."""
    shape = tf.shape(frames)
    size = tf.cast(shape[1:3], tf.float32)
    half = 0.2 * level * tf.reduce_min(size) / 2
    center = draws[1:3] * size
    rows = tf.abs(tf.range(size[0]) + 0.5 - center[0]) < half
    columns = tf.abs(tf.range(size[1]) + 0.5 - center[1]) < half
    cut = tf.logical_and(rows[:, None], columns[None, :])[None, :, :, None]
    return tf.where(cut, tf.constant(128, tf.uint8), frames)


def _solarize_inverted(frames, down):
    return levels.solarize(frames, 256 - tf.floor(down))


def _gray_fill(function, **arguments):
    """A warp that fills exposed areas with gray."""
    return functools.partial(function, fill=128, **arguments)


IMGAUG = (
    _signed(_in_degrees(warp.shear_x), 0.0, 17.19),
    _signed(_in_degrees(warp.shear_y), 0.0, 17.19),
    _signed(warp.translate_x, 0.0, 0.2),
    _signed(warp.translate_y, 0.0, 0.2),
    _signed(warp.rotate, 0.0, 30.0),
    _linear(_top_bits, 0.0, 4.0),
    _linear(levels.solarize, 0.0, 256.0),
    _linear(_saturation, 0.1, 1.8),
    _linear(_contrast, 0.1, 1.8),
    _linear(_brightness, 0.1, 1.8),
    _linear(_sharpness, 0.1, 1.8),
    _plain(levels.autocontrast),
    _plain(levels.equalize),
    _plain(levels.invert),
    _cutout,
)

# The threshold of solarize is meant for pixels from 0 to 1; MMAction2 applied it to frames from 0
# to 255, which inverts all but black. Shears keep the top or left edge fixed.
_PYTORCHVIDEO_SHAPES = (
    _signed(warp.rotate, 0.0, 30.0),
    _linear(_fewer_bits, 0.0, 4.0),
    _linear(levels.solarize, 1.0, -1.0),
    _signed(functools.partial(warp.shear_x, pivot=0.0), 0.0, 0.3),
    _signed(functools.partial(warp.shear_y, pivot=0.0), 0.0, 0.3),
    _plain(levels.autocontrast),
    _plain(levels.equalize),
)

PYTORCHVIDEO = (
    *_PYTORCHVIDEO_SHAPES,
    _plain(levels.invert),
    *(_signed(adjust, 1.0, 0.9) for adjust in (_brightness, _contrast, _saturation, _sharpness)),
    _signed(warp.translate_x, 0.0, 0.45),
    _signed(warp.translate_y, 0.0, 0.45),
)

PYTORCHVIDEO_AUG_MIX = (
    *_PYTORCHVIDEO_SHAPES,
    *(_linear(adjust, 0.1, 1.8) for adjust in (_brightness, _contrast, _saturation, _sharpness)),
    _signed(warp.translate_x, 0.0, 1 / 3),
    _signed(warp.translate_y, 0.0, 1 / 3),
)

# timm's operations whose strength increases with the level, as used by "rand-...-inc1".
TIMM = (
    _plain(levels.autocontrast),
    _plain(levels.equalize),
    _plain(levels.invert),
    _signed(_gray_fill(warp.rotate), 0.0, 30.0),
    _linear(_fewer_bits, 0.0, 4.0),
    _linear(_solarize_inverted, 0.0, 256.0),
    _linear(levels.solarize_add, 0.0, 110.0),
    *(_signed(adjust, 1.0, 0.9) for adjust in (_saturation, _contrast, _brightness, _sharpness)),
    _signed(_gray_fill(warp.shear_x, pivot=0.0), 0.0, 0.3),
    _signed(_gray_fill(warp.shear_y, pivot=0.0), 0.0, 0.3),
    _signed(_gray_fill(warp.translate_x), 0.0, 0.45),
    _signed(_gray_fill(warp.translate_y), 0.0, 0.45),
)
