"""Writes small image files for tests."""

from pathlib import Path

import numpy as np
import tensorflow as tf


def write_image(path, image, quality=95):
    """Writes a uint8 `(height, width, channels)` image as .jpg or .png, by the suffix."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.ascontiguousarray(image)
    if path.suffix == ".png":
        data = tf.io.encode_png(image)
    else:
        data = tf.io.encode_jpeg(image, quality=quality)
    path.write_bytes(data.numpy())
    return path
