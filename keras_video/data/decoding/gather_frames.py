"""Gathering of frames that are stored separately."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import aligned_empty
from ..decoding.videos import DecodeError, size_change


def pick(path, indices, total_frames, load):
    """The frames at these indices, each loaded once.

    Args:
        path: named in errors.
        indices: integers of any shape; they are flattened and may repeat.
        total_frames: indices must be in `[0, total_frames)`.
        load: function from an ascending list of distinct indices to an iterator of their images,
            uint8 `(height, width, channels)`, or to all of them as one array.

    Returns:
        uint8 array `(len(indices), height, width, channels)`.

    Raises:
        DecodeError: an index is out of range, or images differ in size.
    """
    flat = np.asarray(indices, np.int64).reshape(-1)
    for index in flat:
        if not 0 <= index < total_frames:
            raise DecodeError(path, "frame index out of range", int(index), total_frames)
    if not flat.size:
        raise DecodeError(path, "no frame was requested", frame_count=total_frames)
    unique, positions = np.unique(flat, return_inverse=True)
    images = load(unique.tolist())
    frames = images if isinstance(images, np.ndarray) else _stacked(path, unique, images)
    if len(unique) == len(flat) and (np.diff(flat) > 0).all():
        return frames
    return frames[positions.reshape(-1)]


def _stacked(path, indices, images):
    frames = None
    for position, image in enumerate(images):
        if frames is None:
            frames = aligned_empty((len(indices), *image.shape))
        if image.shape != frames.shape[1:]:
            raise size_change(path, frames.shape[1:], image.shape, int(indices[position]))
        frames[position] = image
    return frames


@dataclass(frozen=True)
class StillImage:
    """An image as a video of identical frames.

    Attributes:
        path: the image.
        total_frames: number of frames it counts as.
        load: function from its path to uint8 `(height, width, channels)`.
    """

    path: str
    total_frames: int
    load: Callable

    def read(self, indices):
        """The image, once for every index; see `keras_video.data.sources.videos.Opened`."""
        image = self.load(self.path)
        return np.broadcast_to(image, (np.size(indices), *image.shape))
