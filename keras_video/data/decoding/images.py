"""Decoding of image files, as exact as OpenCV's."""

import functools
import struct

import numpy as np
import tensorflow as tf

from .. import shard_paths
from ..arrays import as_array
from .videos import DecodeError

_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG"
_ORIENTATION_TAG = 0x0112
# Markers of a JPEG frame header: SOF0 to SOF15, except those of tables and reserved ones.
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Extra pixels decoded on either side of a JPEG's box.
_MARGIN = 2


def read_image(path, channels=3, turn=True):
    """Reads an image file: JPEG, PNG, BMP or the first frame of a GIF.

    Args:
        path: the file.
        channels: 3 for RGB, 1 for gray.
        turn: rotate and flip a JPEG according to its EXIF orientation.

    Returns:
        uint8 array `(height, width, channels)`.

    Raises:
        DecodeError: the file is missing, empty, truncated or damaged, or not an image.
    """
    data = read_bytes(path)
    image = decode_image(data, channels, path)
    return apply_orientation(image, exif_orientation(data)) if turn else image


def read_bytes(path):
    """The bytes of a file; raises a `DecodeError` if it cannot be read."""
    try:
        return shard_paths.read_bytes(path)
    except OSError as error:
        raise DecodeError(path, error.strerror or str(error)) from error


def decode_image(data, channels=3, path="image", window=None):
    """Decodes an image; see `read_image`. `path` is named in errors.

    Args:
        window: top, left, height and width of the part to return; None returns the whole image.
            Of a JPEG, only this part is decoded; see `jpeg_window`.
    """
    if not data:
        raise DecodeError(path, "the file is empty")
    try:
        with tf.device("CPU:0"):
            return _decode(data, channels, window)
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
        reason = str(error.message).split("\n", 1)[0]
        raise DecodeError(path, f"it is no intact image: {reason}") from error


# OpenCV uses the accurate transform; TensorFlow's default differs by several levels.
_JPEG_OPTIONS = {"dct_method": "INTEGER_ACCURATE"}


def _decode(data, channels, window):
    if data.startswith(_JPEG) and window:
        return as_array(tf.io.decode_and_crop_jpeg(data, window, channels, **_JPEG_OPTIONS))
    if data.startswith(_JPEG):
        return as_array(tf.io.decode_jpeg(data, channels, **_JPEG_OPTIONS))
    if data.startswith(_PNG):
        image = tf.io.decode_png(data, channels)
    else:
        image = tf.io.decode_image(data, 3, expand_animations=False)
        image = image if channels == 3 else tf.image.rgb_to_grayscale(image)
    top, left, height, width = window or (0, 0, *image.shape[:2])
    return as_array(image)[top : top + height, left : left + width]


def decode_jpegs(data, window=None):
    """Decodes JPEGs of the same size together, which is faster than one by one.

    Args:
        data: the bytes of each file.
        window: see `decode_image`.

    Returns:
        uint8 array `(images, height, width, 3)`; None if one of them is damaged.
    """
    arguments = [tf.constant(data)]
    if window is not None:
        arguments.append(tf.constant(np.array(window, np.int32)))
    try:
        return as_array(_jpeg_decoder(len(data), window is not None)(*arguments))
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        return None


@functools.lru_cache(maxsize=32)
def _jpeg_decoder(count, has_window):
    """A concrete function from the bytes of `count` JPEGs, and a window if any, to their stack.

    A `tf.function` would spend half a millisecond per call on looking up its trace.
    """

    def decode(data, window=None):
        decode_one = functools.partial(tf.io.decode_jpeg, channels=3, **_JPEG_OPTIONS)
        if has_window:
            decode_one = functools.partial(
                tf.io.decode_and_crop_jpeg, crop_window=window, channels=3, **_JPEG_OPTIONS
            )
        with tf.device("CPU:0"):
            return tf.stack([decode_one(jpeg) for jpeg in tf.unstack(data)])

    specs = [tf.TensorSpec([count], tf.string), tf.TensorSpec([4], tf.int32)]
    return tf.function(decode).get_concrete_function(*specs[: 1 + has_window])


def jpeg_window(box, width):
    """The part of a JPEG to decode for a box, so that its pixels equal those of the whole image.

    Chroma is subsampled and interpolated: at the sides of the decoded part it lacks a neighbor.

    Args:
        box: top, left, height and width.
        width: width of the JPEG.

    Returns:
        The part, and the box relative to it, both as `box`.
    """
    top, left, height, box_width = box
    margin = min(left, _MARGIN)
    right = min(left + box_width + _MARGIN, width)
    return (top, left - margin, height, right - left + margin), (0, margin, height, box_width)


def jpeg_size(data):
    """Height and width from the header of a JPEG; None for anything else.

    Args:
        data: bytes of the file.
    """
    for marker, position, _ in _segments(data):
        if marker in _FRAME_HEADERS and position + 5 <= len(data):
            return struct.unpack_from(">HH", data, position + 1)
    return None


def exif_orientation(data):
    """The EXIF orientation of a JPEG, 1 to 8; 1 if it has none.

    Args:
        data: bytes of the file.
    """
    for marker, position, length in _segments(data):
        if marker == 0xE1 and data[position : position + 6] == b"Exif\0\0":
            return _tiff_orientation(data[position + 6 : position + length])
    return 1


def _segments(data):
    """Marker, content position and content length of each JPEG segment before the image data."""
    position = 2
    while data.startswith(_JPEG) and position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4])
        if marker in (0xDA, 0xD9):
            break
        yield marker, position + 4, length - 2
        position += 2 + length


def _tiff_orientation(block):
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, start)
        for entry in range(entries):
            position = start + 2 + 12 * entry
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, position)
            if tag == _ORIENTATION_TAG and kind == 3 and 1 <= value <= 8:
                return value
    except struct.error:
        pass
    return 1


def apply_orientation(image, orientation):
    """An image, rotated and flipped according to an EXIF orientation, 1 to 8."""
    if orientation in (5, 6, 7, 8):
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
