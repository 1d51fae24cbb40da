"""Clip transforms that crop frames; see `keras_video.data.transforms.basic`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from keras_video.data.transforms.frames import (
    Seed,
    check_fits,
    check_range,
    crop_frames,
    frame_size,
    randint_below,
    resize_frames,
    size_pair,
    uniform,
)

# Positions of a box as (x, y), in quarters of the free space: corners and center, then between.
_FIVE_POSITIONS = ((0, 0), (4, 0), (0, 4), (4, 4), (2, 2))
_OTHER_POSITIONS = ((0, 2), (4, 2), (2, 4), (2, 0), (1, 1), (3, 1), (1, 3), (3, 3))


@dataclass(frozen=True)
class CenterCrop:
    """Crops the center of the frames.

    Args:
        size: size of the crop in pixels, a number or (height, width).

    Raises:
        ValueError: for frames smaller than the crop (in graphs whose sizes are unknown during
            tracing, tf.errors.InvalidArgumentError at run time).
    """

    size: int | tuple[int, int]

    def __post_init__(self):
        size_pair("size", self.size)

    def __call__(self, clip: tf.Tensor, seed: Seed | None = None) -> tf.Tensor:
        height, width = size_pair("size", self.size)
        clip = check_fits(self, clip, (height, width))
        frame_height, frame_width = frame_size(clip)
        top, left = (frame_height - height) // 2, (frame_width - width) // 2
        return crop_frames(clip, top, left, height, width)


@dataclass(frozen=True)
class RandomCrop:
    """Crops at a random position, drawn uniformly.

    Published trainings never drew the last row or column of positions (a crop of 224 in frames of
    256 started at 0 to 31); here these are included, so that every part of a frame can be cropped.

    Args and errors as in `CenterCrop`.
    """

    size: int | tuple[int, int]

    def __post_init__(self):
        size_pair("size", self.size)

    def __call__(self, clip: tf.Tensor, seed: Seed) -> tf.Tensor:
        height, width = size_pair("size", self.size)
        clip = check_fits(self, clip, (height, width))
        frame_height, frame_width = frame_size(clip)
        draws = uniform(self, seed, 2)
        top = randint_below(draws[0], frame_height - height + 1)
        left = randint_below(draws[1], frame_width - width + 1)
        return crop_frames(clip, top, left, height, width)


@dataclass(frozen=True)
class ThreeCrop:
    """Takes three crops that cover the frames along their longer side, for averaging scores.

    The crop must be as high or as wide as the frames. Crops are the first axis: (frames, height,
    width, channels) becomes (3, frames, size, size, channels), left (or top) first, then right
    (or bottom), then center. Each of several views (views, frames, ...) becomes three: (views * 3,
    frames, ...), with the crops of a view next to each other.

    Args and errors as in `CenterCrop`.
    """

    size: int | tuple[int, int]

    def __post_init__(self):
        size_pair("size", self.size)

    def __call__(self, clip: tf.Tensor, seed: Seed | None = None) -> tf.Tensor:
        height, width = size_pair("size", self.size)
        clip = check_fits(self, clip, (height, width))
        frame_height, frame_width = frame_size(clip)
        clip = self._check_covers(clip, (frame_height, frame_width), (height, width))
        down, right = (frame_height - height) // 2, (frame_width - width) // 2
        corners = ((0, 0), (2 * down, 2 * right), (down, right))
        return _as_views([crop_frames(clip, *corner, height, width) for corner in corners])

    @staticmethod
    def _check_covers(clip, frame, size):
        message = (
            f"ThreeCrop: expected frames of height {size[0]} or of width {size[1]}, so that three "
            "crops cover them; received"
        )
        if all(isinstance(side, int) for side in frame):
            if frame[0] != size[0] and frame[1] != size[1]:
                raise ValueError(f"{message} {frame[0]}x{frame[1]} (height x width)")
            return clip
        covers = tf.logical_or(tf.equal(frame[0], size[0]), tf.equal(frame[1], size[1]))
        check = tf.debugging.Assert(covers, [message, tf.strings.format("{}x{}", frame)])
        with tf.control_dependencies([] if check is None else [check]):
            return tf.identity(clip)


@dataclass(frozen=True)
class TenCrop:
    """Takes the four corners and the center, each followed by its horizontal flip.

    Crops are the first axis, as in `ThreeCrop`: (10, frames, size, size, channels), in the order
    top left, its flip, top right, bottom left, bottom right, center. Each of several views becomes
    ten.

    Args and errors as in `CenterCrop`.
    """

    size: int | tuple[int, int]

    def __post_init__(self):
        size_pair("size", self.size)

    def __call__(self, clip: tf.Tensor, seed: Seed | None = None) -> tf.Tensor:
        height, width = size_pair("size", self.size)
        clip = check_fits(self, clip, (height, width))
        frame_height, frame_width = frame_size(clip)
        down, right = (frame_height - height) // 4, (frame_width - width) // 4
        crops = []
        for x, y in _FIVE_POSITIONS:
            crop = crop_frames(clip, y * down, x * right, height, width)
            crops += [crop, tf.reverse(crop, axis=[-2])]
        return _as_views(crops)


class BoxCrop:
    """A transform that crops a box and resizes it.

    The box depends only on the size of the frames and the seed, so a decoder can skip the rest of
    the frames, see `keras_video.data.transforms.decode_crop`.
    """

    def box(self, height, width, seed: Seed) -> tuple:
        """Top, left, height and width of the box drawn for frames of this size."""
        raise NotImplementedError

    def __call__(self, clip: tf.Tensor, seed: Seed) -> tf.Tensor:
        return self.resized(crop_frames(clip, *self.box(*frame_size(clip), seed)))

    def resized(self, clip: tf.Tensor) -> tf.Tensor:
        """Resizes the cropped box."""
        return resize_frames(clip, *size_pair("size", self.size))


@dataclass(frozen=True)
class MultiScaleCrop(BoxCrop):
    """Crops a box of random size and aspect ratio at one of a few positions and resizes it (TSN).

    Both sides of the box are drawn from `scales` times the shorter side of the frames, at most
    `max_wh_scale_gap` apart in that list. A side that differs by less than 3 pixels from that of
    the output is set to it if the frames are large enough.

    Args:
        size: size of the output in pixels, a number or (height, width).
        scales: sides of the box relative to the shorter side of the frames, at most 1.
        max_wh_scale_gap: maximum distance of the two sides in `scales`; 0 gives squares.
        random_crop: use a random position instead of a fixed one.
        num_fixed_crops: number of positions: 5 (corners and center) or 13 (with those between).

    Raises:
        ValueError: for arguments out of range.
    """

    size: int | tuple[int, int]
    scales: Sequence[float] = (1.0,)
    max_wh_scale_gap: int = 1
    random_crop: bool = False
    num_fixed_crops: int = 5

    def __post_init__(self):
        size_pair("size", self.size)
        if not self.scales or not all(0 < scale <= 1 for scale in self.scales):
            raise ValueError(f"received scales={self.scales!r}, expected numbers in (0, 1]")
        if self.max_wh_scale_gap < 0:
            raise ValueError(
                f"received max_wh_scale_gap={self.max_wh_scale_gap!r}, expected 0 or more"
            )
        if self.num_fixed_crops not in (5, 13):
            raise ValueError(f"received num_fixed_crops={self.num_fixed_crops!r}, expected 5 or 13")

    def candidate_sizes(self, height, width) -> tf.Tensor:
        """Candidate sizes of the box, int32 (candidates, 2), width first."""
        shorter = tf.cast(tf.minimum(height, width), tf.float64)
        sides = tf.cast(tf.constant(self.scales, tf.float64) * shorter, tf.int32)
        indices = range(len(self.scales))
        pairs = [(w, h) for h in indices for w in indices if abs(h - w) <= self.max_wh_scale_gap]
        return tf.maximum(tf.gather(sides, pairs), 1)

    def snapped(self, chosen, height, width) -> tf.Tensor:
        """A size of the box, width first; sides close to those of the output are set to them."""
        target = tf.constant(size_pair("size", self.size)[::-1], tf.int32)
        close = tf.logical_and(tf.abs(chosen - target) < 3, target <= tf.stack([width, height]))
        return tf.where(close, target, chosen)

    def candidate_offsets(self, room_height, room_width) -> tf.Tensor:
        """Fixed positions of the box, int32 (positions, 2), x first.

        Args:
            room_height: height of the frames minus that of the box.
            room_width: width of the frames minus that of the box.
        """
        quarters = tf.stack([room_width // 4, room_height // 4])
        positions = (_FIVE_POSITIONS + _OTHER_POSITIONS)[: self.num_fixed_crops]
        return tf.constant(positions, tf.int32) * quarters

    def box(self, height, width, seed: Seed) -> tuple:
        """Top, left, height and width of the box drawn for frames of this size."""
        draws = uniform(self, seed, 3)
        sizes = self.candidate_sizes(height, width)
        chosen = sizes[randint_below(draws[0], tf.shape(sizes)[0])]
        box_width, box_height = tf.unstack(self.snapped(chosen, height, width))
        if self.random_crop:
            left = randint_below(draws[1], width - box_width + 1)
            top = randint_below(draws[2], height - box_height + 1)
        else:
            offsets = self.candidate_offsets(height - box_height, width - box_width)
            offset = offsets[randint_below(draws[1], self.num_fixed_crops)]
            left, top = offset[0], offset[1]
        return top, left, box_height, box_width


@dataclass(frozen=True)
class RandomResizedCrop(BoxCrop):
    """Crops a box of random area and aspect ratio at a random position and resizes it.

    Ten boxes are drawn, and the first one that fits into the frames is used. If none fits, it is
    the largest center square.

    Args:
        size: size of the output in pixels, a number or (height, width).
        area_range: minimum and maximum area of the box relative to the frames.
        aspect_ratio_range: minimum and maximum ratio of width to height, drawn uniformly on a
            logarithmic scale.

    Raises:
        ValueError: for arguments out of range.
    """

    size: int | tuple[int, int]
    area_range: tuple[float, float] = (0.08, 1.0)
    aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3)

    attempts = 10

    def __post_init__(self):
        size_pair("size", self.size)
        check_range("area_range", self.area_range)
        check_range("aspect_ratio_range", self.aspect_ratio_range)

    def box(self, height, width, seed: Seed) -> tuple:
        """Top, left, height and width of the box drawn for frames of this size."""
        draws = uniform(self, seed, 2 * self.attempts + 2, tf.float64)
        low, high = self.area_range
        areas = low + (high - low) * draws[: self.attempts]
        areas *= tf.cast(height, tf.float64) * tf.cast(width, tf.float64)
        low, high = (math.log(ratio) for ratio in self.aspect_ratio_range)
        ratios = tf.exp(low + (high - low) * draws[self.attempts : -2])
        widths = tf.maximum(tf.cast(tf.round(tf.sqrt(areas * ratios)), tf.int32), 1)
        heights = tf.maximum(tf.cast(tf.round(tf.sqrt(areas / ratios)), tf.int32), 1)
        fits = tf.logical_and(widths <= width, heights <= height)
        any_fits, first = tf.reduce_any(fits), tf.argmax(tf.cast(fits, tf.int32))
        shorter = tf.minimum(height, width)
        box_height = tf.where(any_fits, heights[first], shorter)
        box_width = tf.where(any_fits, widths[first], shorter)
        down, right = height - box_height, width - box_width
        top = tf.where(any_fits, randint_below(draws[-2], down + 1), down // 2)
        left = tf.where(any_fits, randint_below(draws[-1], right + 1), right // 2)
        return top, left, box_height, box_width


def _as_views(crops):
    """Stacks crops before the axis of frames and merges them with a leading axis of views."""
    stacked = tf.stack(crops, axis=-5)
    if stacked.shape.rank == 5:
        return stacked
    views = None if crops[0].shape[0] is None else crops[0].shape[0] * len(crops)
    merged = tf.reshape(stacked, tf.concat([[-1], tf.shape(stacked)[2:]], axis=0))
    merged.set_shape([views, *stacked.shape[2:]])
    return merged
