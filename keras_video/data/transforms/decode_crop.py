"""Leading transforms performed during decoding, with identical pixels.

Most of a stored frame is often cropped away right after decoding, so decoders that support it only
decode the box of a leading crop. And a leading resize that downsizes frames is applied while they
are decoded, so a clip is never in memory at full size.
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
    """The leading transforms: a crop, optionally after a resize.

    Attributes:
        resize: a `Resize` before the crop, or None. Frames that already have its output size can be
            cropped while decoding, others have to be resized first.
        crop: the `BoxCrop`.
    """

    resize: Resize | None
    crop: BoxCrop

    @property
    def count(self):
        """Number of transforms."""
        return 1 if self.resize is None else 2

    def box(self, height, width, seed):
        """The crop box for frames of this size: top, left, height and width.

        Args:
            height, width: size of the frames in pixels.
            seed: the seed of the clip, int32 (2,).

        Returns:
            Four integers; or None if the frames have to be resized before cropping.
        """
        if self._resized(height, width) != (height, width):
            return None
        return self._draw(height, width, seed)

    def plan(self, height, width, inner, seed):
        """The plan for decoded frames: the remaining resize and crop.

        Args:
            height, width: size of the decoded frames.
            inner: the box within them, if they were cropped while decoding; else None.
            seed: the seed of the clip.

        Returns:
            int32 (6,): height and width to resize to, then the box to crop.
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
        # A graph, since eager execution takes several times as long. Already traced, since a
        # `tf.function` takes a third of a millisecond to look up its traces.
        pair = tf.TensorSpec([2], tf.int32)

        def box(size, seed):
            with tf.device("CPU:0"):
                return tf.stack(self.crop.box(size[0], size[1], fold_in(seed, self.count - 1)))

        return tf.function(box).get_concrete_function(pair, pair)

    def __call__(self, clip, plan):
        """Applies the transforms to frames, according to their `plan`."""
        if self.resize is not None:
            clip = resize_frames(clip, plan[0], plan[1])
        return self.crop.resized(crop_frames(clip, plan[2], plan[3], plan[4], plan[5]))


def leading_crop(transforms):
    """The `DecodeCrop` for the leading transforms, or None."""
    transforms = tuple(transforms)
    resize = transforms[0] if transforms and isinstance(transforms[0], Resize) else None
    crop = transforms[:1] if resize is None else transforms[1:2]
    return DecodeCrop(resize, *crop) if crop and isinstance(crop[0], BoxCrop) else None


def apply_planned_transforms(transforms, clip, seed, plan):
    """As `apply_transforms`, for frames that may have been cropped while decoding.

    Args:
        transforms: transforms that begin with a `DecodeCrop`.
        clip: `(frames, height, width, channels)`.
        seed: two int32 numbers.
        plan: the plan of the `DecodeCrop` for these frames and this seed.
    """
    crop = leading_crop(transforms)
    return apply_transforms(transforms[crop.count :], crop(clip, plan), seed, first=crop.count)


@dataclass(frozen=True)
class Shrink:
    """Downsizes frames with the leading transform of a clip.

    The transform may be applied again afterwards, without effect.

    Attributes:
        transform: a `Resize` or `CenterCrop`.
    """

    transform: Resize | CenterCrop

    def __call__(self, frames):
        """Frames after the transform, or unchanged if it would not make them smaller.

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
            return as_array(_compiled(self.transform, frames.shape[1:])(as_tensor(frames)))


@functools.lru_cache(maxsize=64)
def _compiled(transform, shape):
    """A transform as a single graph call, for frames of this shape.

    Run eagerly, its two dozen operations would hold Python's lock most of the time, while other
    frames wait for it.
    """
    with tf.device("CPU:0"):
        function = tf.function(lambda frames: transform(frames))  # without further arguments
        return function.get_concrete_function(tf.TensorSpec((None, *shape), tf.uint8))


def leading_shrink(transforms):
    """The `Shrink` for the first transform, or None."""
    first = next(iter(transforms), None)
    return Shrink(first) if type(first) in (Resize, CenterCrop) else None
