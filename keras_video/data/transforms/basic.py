"""Clip transforms, applied to the frames of a clip between decoding and the model.

A transform is a frozen dataclass that maps a clip and a seed to a clip: `transform(clip, seed)`.
Clips are (frames, height, width, channels), or (views, frames, height, width, channels) for several
views of a video; they remain uint8 until `Normalize`. The seed is two int32 numbers. The same seed
gives the same result, and all frames and views share one random draw. Deterministic transforms
ignore the seed. Everything is implemented with TensorFlow operations and runs eagerly as well as in
the graph of a tf.data pipeline, where sizes may be unknown.

A transform that also affects the label (a flipped "left" is a "right") has a second method,
`label(label, seed)`. `apply_transforms` and `apply_label_transforms` pass the same seed, so clip
and label share the same draw.

The crop transforms are in `keras_video.data.transforms.crops` and can be imported from here as
well.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_video.data.transforms.crops import (
    CenterCrop,
    MultiScaleCrop,
    RandomCrop,
    RandomResizedCrop,
    TenCrop,
    ThreeCrop,
)
from keras_video.data.transforms.frames import (
    Seed,
    check_range,
    fold_in,
    frame_size,
    randint_below,
    resize_frames,
    size_pair,
    uniform,
)

__all__ = [
    "CenterCrop",
    "Flip",
    "MultiScaleCrop",
    "Normalize",
    "RandomCrop",
    "RandomRescale",
    "RandomResizedCrop",
    "Resize",
    "Transform",
    "TenCrop",
    "ThreeCrop",
    "apply_label_transforms",
    "apply_transforms",
]

Transform = Callable[[tf.Tensor, Seed | None], tf.Tensor]


def apply_transforms(
    transforms: Sequence[Transform], clip: tf.Tensor, seed: Seed | None = None, first: int = 0
) -> tf.Tensor:
    """Applies transforms in order, each with a seed derived from `seed` and its position.

    Args:
        transforms: the transforms.
        clip: (frames, height, width, channels) or (views, frames, height, width, channels).
        seed: two int32 numbers; may be None if no transform is random.
        first: position of the first transform, if others have been applied before.
    """
    for position, transform in enumerate(transforms, first):
        clip = transform(clip, fold_in(seed, position))
    return clip


def apply_label_transforms(
    transforms: Sequence[Transform], label: tf.Tensor, seed: Seed | None = None
) -> tf.Tensor:
    """The label of the clip returned by `apply_transforms` for the same transforms and seed.

    Args:
        transforms: the transforms; only those with a `label` method are applied.
        label: a class index (integer scalar), or one number per class (vector).
        seed: the seed given to `apply_transforms`.
    """
    for position, transform in enumerate(transforms):
        if hasattr(transform, "label"):
            label = transform.label(label, fold_in(seed, position))
    return label


@dataclass(frozen=True)
class Resize:
    """Resizes frames bilinearly, as OpenCV does (pixel centers, no antialiasing).

    Exactly one argument must be given.

    Args:
        short_side: length of the shorter side in pixels, keeping the aspect ratio.
        size: (height, width), ignoring the aspect ratio.
        within: two lengths in pixels; frames are resized, keeping the aspect ratio, to the largest
            size whose longer side is at most the larger and whose shorter side is at most the
            smaller length.

    Raises:
        ValueError: unless exactly one argument is given.
    """

    short_side: int | None = None
    size: tuple[int, int] | None = None
    within: tuple[int, int] | None = None

    def __post_init__(self):
        given = {
            "short_side": self.short_side,
            "size": self.size,
            "within": self.within,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if len(given) != 1:
            raise ValueError(f"Resize: received {given}, expected one of short_side, size, within")
        for name, value in given.items():
            size_pair(name, value)

    def __call__(self, clip: tf.Tensor, seed: Seed | None = None) -> tf.Tensor:
        return resize_frames(clip, *self.output_size(*frame_size(clip)))

    def output_size(self, height, width) -> tuple:
        """Height and width after resizing frames of the given height and width."""
        if self.size is not None:
            return tuple(self.size)
        if self.short_side is not None:
            return _rescaled(height, width, short_side=self.short_side)
        return _rescaled(height, width, min(self.within), max(self.within))


@dataclass(frozen=True)
class RandomRescale:
    """Resizes frames to a random length of the shorter side.

    Args:
        short_side: minimum and maximum length in pixels, both inclusive.

    Raises:
        ValueError: for arguments out of range.
    """

    short_side: tuple[int, int]

    def __post_init__(self):
        check_range("short_side", self.short_side)

    def __call__(self, clip: tf.Tensor, seed: Seed) -> tf.Tensor:
        low, high = self.short_side
        short_side = low + randint_below(uniform(self, seed, 1)[0], high - low + 1)
        return resize_frames(clip, *_rescaled(*frame_size(clip), short_side))


@dataclass(frozen=True)
class Flip:
    """Randomly flips clips horizontally; use before `Normalize`.

    Args:
        probability: probability of flipping.
        label_map: classes that change when flipped, {class: class after flipping}, in both
            directions: {left: right, right: left}.
        flow: whether the clip is optical flow, with channels x, y, x, y, ... stored as images with
            0 for the largest motion to the left and 255 to the right; flipped x components become
            255 - x.

    Raises:
        ValueError: for a probability outside [0, 1], a label map with only one direction, or flow
            with an odd number of channels.
    """

    probability: float = 0.5
    label_map: Mapping[int, int] | None = None
    flow: bool = False

    def __post_init__(self):
        if not 0 <= self.probability <= 1:
            raise ValueError(f"Flip: received probability={self.probability!r}, expected 0 to 1")

        label_map = self.label_map or {}
        if set(label_map.keys()) != set(label_map.values()):
            raise ValueError(
                f"Flip: received label_map={label_map!r}, expected both directions, as in "
                "{left: right, right: left}"
            )

    def __call__(self, clip: tf.Tensor, seed: Seed) -> tf.Tensor:
        clip = tf.convert_to_tensor(clip)
        return tf.cond(self._drawn(seed), lambda: self._flip(clip), lambda: clip)

    def label(self, label: tf.Tensor, seed: Seed) -> tf.Tensor:
        """The label of the clip for the same seed: an index, or one number per class."""
        label = tf.convert_to_tensor(label)
        if not self.label_map:
            return label
        return tf.cond(self._drawn(seed), lambda: self._flip_label(label), lambda: label)

    def _drawn(self, seed):
        return uniform(self, seed, 1)[0] < self.probability

    def _flip(self, clip):
        # All rows of all frames on one axis: TensorFlow reverses tensors of rank 3 fast.
        shape = tf.shape(clip)
        rows = tf.reshape(clip, [-1, shape[-2], clip.shape[-1] or shape[-1]])
        flipped = tf.reshape(tf.reverse(rows, axis=[1]), shape)
        flipped = tf.ensure_shape(flipped, clip.shape)
        if not self.flow:
            return flipped
        channels = clip.shape[-1]
        if channels is None or channels % 2:
            raise ValueError(
                f"Flip(flow=True): received {channels} channels, expected x, y, x, y, ..."
            )
        is_x = tf.range(channels) % 2 == 0
        return tf.where(is_x, tf.cast(255, clip.dtype) - flipped, flipped)

    def _flip_label(self, label):
        sources = tf.constant(list(self.label_map.keys()))[:, None]
        targets = tf.constant(list(self.label_map.values()))
        if label.shape.rank == 0:
            changed = tf.where(tf.cast(sources[:, 0], label.dtype) == label)[:, 0]
            mapped = tf.cast(tf.gather(targets, changed), label.dtype)
            return tf.cond(tf.size(changed) > 0, lambda: mapped[0], lambda: label)
        flipped = tf.tensor_scatter_nd_update(tf.range(tf.size(label)), sources, targets)
        summed = tf.math.unsorted_segment_sum(label, flipped, tf.size(label))
        return tf.ensure_shape(summed, label.shape)


@dataclass(frozen=True)
class Normalize:
    """Normalizes clips to float32 (value - mean) / std per channel.

    Args:
        mean: one number per channel, for pixel values from 0 to 255. Clips may have a multiple of
            that number of channels (stacked optical flow: x, y, x, y, ...), to which the numbers
            apply in turn.
        std: as `mean`.
        to_bgr: reverse the channels first, so that `mean` and `std` are in blue, green, red order.

    Raises:
        ValueError: for different lengths, a std that is not positive, or when called with a clip
            whose number of channels is not a multiple of their length.
    """

    mean: Sequence[float]
    std: Sequence[float]
    to_bgr: bool = False

    def __post_init__(self):
        if not self.mean or len(self.mean) != len(self.std) or min(self.std) <= 0:
            raise ValueError(
                f"Normalize: received mean={self.mean!r}, std={self.std!r}, expected means "
                "and the same number of positive standard deviations"
            )

    def __call__(self, clip: tf.Tensor, seed: Seed | None = None) -> tf.Tensor:
        clip = tf.convert_to_tensor(clip)
        self.check_channels(clip)
        if self.to_bgr:
            clip = tf.reverse(clip, axis=[-1])
        # Whole rows at a time: TensorFlow broadcasts along a few channels five times slower.
        shape, channels = tf.shape(clip), clip.shape[-1]
        repeats = [channels // len(self.mean) * shape[-2]]
        mean, scale = (tf.tile(numbers, repeats) for numbers in self._factors())
        rows = tf.reshape(clip, (-1, shape[-2] * channels))
        normalized = (tf.cast(rows, tf.float32) - mean) * scale
        return tf.ensure_shape(tf.reshape(normalized, shape), clip.shape)

    def check_channels(self, clip):
        """Raises a ValueError for a clip with an unsupported number of channels."""
        channels = clip.shape[-1]
        if channels is None or channels % len(self.mean):
            raise ValueError(
                f"Normalize: received a clip of {channels} channels, expected {len(self.mean)} "
                "or a multiple"
            )

    def tiled_factors(self, width, channels) -> tuple:
        """Mean and scale (1 / std) for a row of pixels: float32 arrays."""
        return tuple(
            np.tile(numbers, channels // len(self.mean) * width) for numbers in self._factors()
        )

    def _factors(self):
        return np.array(self.mean, np.float32), np.array([1.0 / s for s in self.std], np.float32)


def _rescaled(height, width, short_side, long_side=math.inf):
    """The largest size of the same aspect ratio whose sides are at most the given ones."""
    if all(isinstance(side, int) for side in (height, width, short_side)):
        scale = min(short_side / min(height, width), long_side / max(height, width))
        return tuple(max(1, int(side * scale + 0.5)) for side in (height, width))
    sides = tf.cast(tf.stack([height, width]), tf.float64)
    shorter, longer = tf.reduce_min(sides), tf.reduce_max(sides)
    scale = tf.minimum(tf.cast(short_side, tf.float64) / shorter, long_side / longer)
    rescaled = tf.maximum(tf.cast(sides * scale + 0.5, tf.int32), 1)
    return rescaled[0], rescaled[1]
