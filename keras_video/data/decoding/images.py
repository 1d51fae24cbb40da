"""Images from files, as exact as OpenCV decodes them."""

import struct
from pathlib import Path

import numpy as np
import tensorflow as tf

from .videos import DecodeError

_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG"
_ORIENTATION_TAG = 0x0112


def read_image(path, channels=3, turn=True):
    """Reads an image file: JPEG, PNG, BMP or the first picture of a GIF.

    Args:
        path: the file.
        channels: 3 for RGB, 1 for grey.
        turn: turn a JPEG as its EXIF data says.

    Returns:
        uint8 array `(height, width, channels)`.

    Raises:
        DecodeError: the file is missing, empty, truncated or damaged, or no image.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DecodeError(path, error.strerror) from error
    image = decode_image(data, channels, path)
    return turned(image, exif_orientation(data)) if turn else image


def decode_image(data, channels=3, path="image"):
    """Decodes an image; see `read_image`. `path` is named in errors."""
    if not data:
        raise DecodeError(path, "the file is empty")
    try:
        with tf.device("CPU:0"):
            return _decode(data, channels).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
        reason = str(error.message).split("\n", 1)[0]
        raise DecodeError(path, f"it is no intact image: {reason}") from error


def _decode(data, channels):
    if data.startswith(_JPEG):
        # The accurate transform is the one OpenCV uses; the default differs by several levels.
        return tf.io.decode_jpeg(data, channels, dct_method="INTEGER_ACCURATE")
    if data.startswith(_PNG):
        return tf.io.decode_png(data, channels)
    image = tf.io.decode_image(data, 3, expand_animations=False)
    return image if channels == 3 else tf.image.rgb_to_grayscale(image)


def exif_orientation(data):
    """The orientation, 1 to 8, that a JPEG's EXIF data states; 1 where there is none.

    Args:
        data: bytes of the file.
    """
    position = 2
    while data.startswith(_JPEG) and position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4])
        if marker == 0xE1 and data[position + 4 : position + 10] == b"Exif\0\0":
            return _tiff_orientation(data[position + 10 : position + 2 + length])
        if marker in (0xDA, 0xD9):
            break
        position += 2 + length
    return 1


def _tiff_orientation(block):
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (entries,) = struct.unpack_from(f"{order}H", block, start)
        for entry in range(entries):
            place = start + 2 + 12 * entry
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, place)
            if tag == _ORIENTATION_TAG and kind == 3 and 1 <= value <= 8:
                return value
    except struct.error:
        pass
    return 1


def turned(image, orientation):
    """An image as it is meant to be seen, from the orientation 1 to 8 that EXIF data states."""
    if orientation in (5, 6, 7, 8):
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image
