"""Transforms at the beginning that need not wait for the whole clip; pixels stay the same.

Most of a stored frame is often cut away right after it was decoded: decoders that can leave it out
are told the box of a leading crop. And a leading resize that makes frames smaller is done while
they are decoded: a clip is never in memory at full size.
"""

import functools
import math
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_video.data.arrays import as_array, as_tensor
from keras_video.data.transforms.basic import Resize, apply_transforms
from keras_video.data.transforms.crops import BoxCrop, CenterCrop
from keras_video.data.transforms.frames import crop_frames, fold_in, resize_frames, size_pair


@dataclass(frozen=True)
class DecodeCrop:
    """The first transforms: a crop, and the resize that may come before it.

    Attributes:
        resize: a `Resize` before the crop, or None. Frames that have its size already can be cut
            early, others have to be resized first.
        crop: the `BoxCrop`.
    """

    resize: Resize | None
    crop: BoxCrop

    @property
    def count(self):
        """Number of transforms."""
        return 1 if self.resize is None else 2

    def box(self, height, width, seed):
        """Where frames of this size will be cut: top, left, height and width.

        Args:
            height, width: numbers of pixels.
            seed: the seed of the clip, int32 (2,).

        Returns:
            Four integers; or None where the frames have to be resized before they are cut.
        """
        if self._resized(height, width) != (height, width):
            return None
        return self._draw(height, width, seed)

    def plan(self, height, width, inner, seed):
        """What is left to do with frames that were decoded.

        Args:
            height, width: size of the frames as they are.
            inner: where the box is in them, if they were cut early; else None.
            seed: the seed of the clip.

        Returns:
            int32 (6,): height and width to resize to, then the box to cut.
        """
        if inner is None:
            height, width = self._resized(height, width)
            inner = self._draw(height, width, seed)
        return np.array((height, width, *inner), np.int32)

    def _resized(self, height, width):
        return (height, width) if self.resize is None else self.resize.output_size(height, width)

    def _draw(self, height, width, seed):
        size = np.array((height, width), np.int32)
        return self._box(tf.constant(size), tf.constant(seed)).numpy().tolist()

    @functools.cached_property
    def _box(self):
        # A graph of its own: step by step it would take several times as long. Traced already,
        # since a `tf.function` would look through its traces for a third of a millisecond.
        pair = tf.TensorSpec([2], tf.int32)

        def box(size, seed):
            with tf.device("CPU:0"):
                return tf.stack(self.crop.box(size[0], size[1], fold_in(seed, self.count - 1)))

        return tf.function(box).get_concrete_function(pair, pair)

    def __call__(self, clip, plan):
        """What the transforms make of frames, with the `plan` for them."""
        if self.resize is not None:
            clip = resize_frames(clip, plan[0], plan[1])
        return self.crop.resized(crop_frames(clip, plan[2], plan[3], plan[4], plan[5]))


def early_crop(transforms):
    """The `DecodeCrop` that the transforms begin with, or None."""
    transforms = tuple(transforms)
    resize = transforms[0] if transforms and isinstance(transforms[0], Resize) else None
    crop = transforms[:1] if resize is None else transforms[1:2]
    return DecodeCrop(resize, *crop) if crop and isinstance(crop[0], BoxCrop) else None


def apply_planned_transforms(transforms, clip, seed, plan):
    """What `apply_transforms` makes of frames, parts of which may be left out already.

    Args:
        transforms: transforms that begin with an `DecodeCrop`.
        clip: `(frames, height, width, channels)`.
        seed: two int32 numbers.
        plan: what the `DecodeCrop` plans for these frames and this seed.
    """
    early = early_crop(transforms)
    return apply_transforms(transforms[early.count :], early(clip, plan), seed, first=early.count)


@dataclass(frozen=True)
class Shrink:
    """Makes frames smaller, as the transform that a clip begins with would.

    The transform may be applied again afterwards: it leaves what it has made as it is.

    Attributes:
        transform: a `Resize` or `CenterCrop`.
    """

    transform: Resize | CenterCrop

    def __call__(self, frames):
        """Frames after the transform, or as they are where it would not make them smaller.

        Args:
            frames: uint8 array `(n, height, width, channels)`.
        """
        height, width = frames.shape[1:3]
        if isinstance(self.transform, Resize):
            after = self.transform.output_size(height, width)
            smaller = math.prod(after) < height * width
        else:
            after = size_pair("size", self.transform.size)
            smaller = after != (height, width) and after[0] <= height and after[1] <= width
        if not smaller:
            return frames
        with tf.device("CPU:0"):
            return as_array(_one_call(self.transform, frames.shape[1:])(as_tensor(frames)))


@functools.lru_cache(maxsize=64)
def _one_call(transform, shape):
    """A transform of frames of this shape as one call.

    Its two dozen operations one by one would hold Python's lock for most of the time that they
    take, while other frames wait for it.
    """
    with tf.device("CPU:0"):
        function = tf.function(lambda frames: transform(frames))  # without further arguments
        return function.get_concrete_function(tf.TensorSpec((None, *shape), tf.uint8))


def shrinking(transforms):
    """The `Shrink` of the first transform, or None."""
    first = next(iter(transforms), None)
    return Shrink(first) if type(first) in (Resize, CenterCrop) else None
