"""Pointwise functions of pixel values, per frame and channel.

Input and output are uint8 `(frames, height, width, channels)`.
"""

import tensorflow as tf


def invert(frames):
    """Inverts all pixels."""
    return 255 - frames


def solarize(frames, threshold):
    """Inverts pixels at or above the threshold."""
    bright = tf.cast(frames, tf.float32) >= threshold
    return tf.where(bright, 255 - frames, frames)


def solarize_add(frames, amount):
    """Adds an integer to pixels below 128, clipped to 255."""
    levels = tf.cast(frames, tf.int32)
    lighter = tf.minimum(levels + tf.cast(amount, tf.int32), 255)
    return tf.cast(tf.where(levels < 128, lighter, levels), tf.uint8)


def posterize(frames, bits):
    """Keeps only the `bits` most significant bits of each pixel, 0 to 8."""
    shift = tf.cast(8 - bits, tf.int32)
    kept = tf.bitwise.left_shift(tf.bitwise.right_shift(tf.constant(255), shift), shift)
    return tf.bitwise.bitwise_and(frames, tf.cast(kept, tf.uint8))


def autocontrast(frames):
    """Stretches each channel so that its darkest pixel becomes 0 and its brightest 255."""
    levels = tf.cast(frames, tf.float32)
    darkest = tf.reduce_min(levels, axis=[1, 2], keepdims=True)
    brightest = tf.reduce_max(levels, axis=[1, 2], keepdims=True)
    stretched = (levels - darkest) * (255 / tf.maximum(brightest - darkest, 1))
    return tf.where(brightest > darkest, tf.cast(stretched, tf.uint8), frames)


def equalize(frames):
    """Equalizes the histogram of each channel, as Pillow's `ImageOps.equalize` does."""
    shape = tf.shape(frames)
    count, channels = shape[0], shape[3]
    planes = tf.reshape(tf.range(count * channels), [count, 1, 1, channels])
    bins = tf.reshape(tf.cast(frames, tf.int32) + 256 * planes, [-1])
    histogram = tf.reshape(
        tf.math.bincount(bins, minlength=256 * count * channels), [count * channels, 256]
    )
    table = tf.reshape(_equalization_table(histogram), [-1])
    return tf.ensure_shape(tf.reshape(tf.gather(table, bins), shape), frames.shape)


def _equalization_table(histogram):
    """Lookup tables, uint8, for histograms int32 `(planes, 256)`."""
    levels = tf.range(256)
    brightest = tf.reduce_max(tf.where(histogram > 0, levels, 0), axis=1, keepdims=True)
    brightest_count = tf.gather(histogram, brightest, axis=1, batch_dims=1)
    step = (tf.reduce_sum(histogram, axis=1, keepdims=True) - brightest_count) // 255
    below = tf.cumsum(histogram, axis=1, exclusive=True)
    spread = tf.minimum((below + step // 2) // tf.maximum(step, 1), 255)
    return tf.cast(tf.where(step > 0, spread, levels), tf.uint8)
