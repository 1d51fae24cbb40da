"""Random erasing (arXiv:1708.04896) for clips: one box for all frames."""

import math
from dataclasses import dataclass

import tensorflow as tf

from keras_video.data.transforms.frames import (
    Seed,
    check_range,
    fold_in,
    frame_size,
    randint_below,
    uniform,
)

NOISES = ("pixel", "color")


@dataclass(frozen=True)
class RandomErasing:
    """Replaces a box of a normalized clip with standard normal noise.

    Up to ten boxes are drawn until one is smaller than the frame; if none is, nothing is erased.
    Input and output are float32 clips: the transform comes after `Normalize`.

    Args:
        probability: probability of erasing a box.
        noise: "pixel" draws each value of the box, "color" one value per frame and channel.
        area_range: minimum and maximum area of the box relative to the frame.
        aspect_ratio_range: minimum and maximum ratio of height to width, drawn uniformly on a
            logarithmic scale.

    Raises:
        ValueError: for arguments out of range, or clips that are not floating-point.
    """

    probability: float = 0.25
    noise: str = "pixel"
    area_range: tuple[float, float] = (0.02, 1 / 3)
    aspect_ratio_range: tuple[float, float] = (0.3, 1 / 0.3)

    attempts = 10

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(
                f"RandomErasing: received probability={self.probability!r}, expected 0 to 1"
            )
        if self.noise not in NOISES:
            raise ValueError(
                f"RandomErasing: received noise={self.noise!r}, expected one of {', '.join(NOISES)}"
            )
        check_range("area_range", self.area_range)
        check_range("aspect_ratio_range", self.aspect_ratio_range)

    def __call__(self, clip: tf.Tensor, seed: Seed) -> tf.Tensor:
        clip = tf.convert_to_tensor(clip)
        if not clip.dtype.is_floating:
            raise ValueError(
                f"RandomErasing: received a clip of {clip.dtype.name}, expected floats; put it "
                "after Normalize"
            )
        height, width = frame_size(clip)
        top, left, bottom, right = self.box(height, width, seed)
        rows, columns = tf.range(height)[:, None], tf.range(width)[None, :]
        inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
        shape = tf.shape(clip)
        if self.noise == "color":
            shape = tf.concat([shape[:-3], [1, 1], shape[-1:]], axis=0)
        noise = tf.random.stateless_normal(shape, fold_in(seed, 0), dtype=clip.dtype)
        return tf.ensure_shape(tf.where(inside[..., None], noise, clip), clip.shape)

    def box(self, height, width, seed: Seed) -> tuple:
        """Top, left, bottom and right edge of the box drawn for frames of this size.

        The last two are exclusive; all are 0 if nothing is erased.
        """
        draws = uniform(self, seed, 2 * self.attempts + 3, tf.float64)
        low, high = self.area_range
        areas = low + (high - low) * draws[: self.attempts]
        areas *= tf.cast(height, tf.float64) * tf.cast(width, tf.float64)
        low, high = (math.log(ratio) for ratio in self.aspect_ratio_range)
        ratios = tf.exp(low + (high - low) * draws[self.attempts : 2 * self.attempts])
        heights = tf.cast(tf.round(tf.sqrt(areas * ratios)), tf.int32)
        widths = tf.cast(tf.round(tf.sqrt(areas / ratios)), tf.int32)
        fits = tf.logical_and(widths < width, heights < height)
        first = tf.argmax(tf.cast(fits, tf.int32))
        erased = tf.logical_and(tf.reduce_any(fits), draws[-1] < self.probability)
        top = randint_below(draws[-3], height - heights[first] + 1)
        left = randint_below(draws[-2], width - widths[first] + 1)
        box = (top, left, top + heights[first], left + widths[first])
        return tuple(tf.where(erased, edge, 0) for edge in box)
