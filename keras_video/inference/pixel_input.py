"""Preprocessing of uint8 frames to normalized clips as part of an exported graph."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_video.data.pipelines.normalizing import normalize_array
from keras_video.data.rows.presets import normalization_of, resize_transforms
from keras_video.data.transforms.basic import CenterCrop, Normalize, Resize, apply_transforms
from keras_video.inference.video import protocol_of
from keras_video.zoo.protocol import VIDEO

# Frames of any size.
ANY_SIZE = (None, None)


@dataclass(frozen=True)
class PixelInput:
    """Preprocessing of decoded frames to the clips of a model: resize, center crop, normalization.

    Attributes:
        shape: shape of a clip of pixels, `(frames, height, width, channels)`; `None` is unknown.
        resize: the `Resize` before the crop, or `None`.
        crop: height and width of the center crop, or `None`.
        normalize: the `Normalize`, or `None` for a model that normalizes its pixels itself.
    """

    shape: tuple
    resize: Resize | None
    crop: tuple[int, int] | None
    normalize: Normalize | None

    def facts(self):
        """The steps that are part of the graph, which clients must not repeat, as JSON values."""
        return {
            "resize": self.resize and {k: v for k, v in vars(self.resize).items() if v},
            "center_crop": self.crop and list(self.crop),
            "normalize": self.normalize and dataclasses.asdict(self.normalize),
        }

    def __call__(self, pixels):
        """The clips, a float32 tensor, of uint8 `(batch, frames, height, width, channels)`.

        Pixels are rounded after resizing, as in the transforms of `keras_video.data`.
        """
        clips = tf.cast(pixels, tf.float32)
        if self.resize is not None or self.crop is not None:
            shape = tf.shape(clips)
            images = tf.reshape(clips, (-1, *(n or shape[2 + i] for i, n in enumerate(self.image))))
            images = self._cropped(self._resized(images))
            height, width = images.shape[1:3]
            sizes = (height or tf.shape(images)[1], width or tf.shape(images)[2])
            frames = self.shape[0] or shape[1]
            clips = tf.reshape(images, (shape[0], frames, *sizes, self.shape[-1]))
        return clips if self.normalize is None else self._normalized(clips)

    @property
    def image(self):
        """Height, width and channels of a frame."""
        return self.shape[1:]

    def in_python(self, pixels):
        """The clips that `keras_video.data` computes from an array of pixels, as a reference."""
        transforms = [] if self.resize is None else [self.resize]
        transforms += [] if self.crop is None else [CenterCrop(self.crop)]
        clips = np.asarray(apply_transforms(transforms, tf.constant(pixels)))
        if self.normalize is None:
            return clips.astype("float32")
        return normalize_array(self.normalize, clips)

    def _resized(self, images):
        if self.resize is None:
            return images
        if None not in self.shape[1:3]:
            size = self.resize.output_size(*self.shape[1:3])
        else:
            shape = tf.shape(images)
            size = output_size(self.resize, shape[1], shape[2])
        # The public function does not smooth either, but computes the size again on every call.
        resized = tf.raw_ops.ResizeBilinear(images=images, size=size, half_pixel_centers=True)
        return tf.floor(resized + 0.5)

    def _cropped(self, images):
        if self.crop is None:
            return images
        height, width = self.crop
        shape = tf.shape(images)
        top = (images.shape[1] or shape[1]) - height
        left = (images.shape[2] or shape[2]) - width
        top, left = top // 2, left // 2
        cropped = images[:, top : top + height, left : left + width]
        # Frames smaller than the crop fail here; no operation could give a clear message.
        return tf.reshape(cropped, (-1, height, width, self.shape[-1]))

    def _normalized(self, clips):
        normalize = self.normalize
        if normalize.to_bgr:
            clips = tf.reverse(clips, axis=[-1])
        mean, scale = normalize.tiled_factors(1, self.shape[-1])
        return (clips - mean) * scale


def output_size(resize, height, width):
    """Height and width of frames after a `Resize`, in integer arithmetic for every runtime.

    `Resize.output_size` uses float64, which LiteRT does not support; they differ by a pixel if
    rounding is a tie that float64 misses.
    """
    if resize.size is not None:
        return tf.constant(resize.size, tf.int32)
    shorter, longer = tf.minimum(height, width), tf.maximum(height, width)
    if resize.short_side is not None:
        to, of = tf.constant(resize.short_side), shorter
    else:
        least, most = min(resize.within), max(resize.within)
        by_short = least * longer <= most * shorter
        to, of = tf.where(by_short, least, most), tf.where(by_short, shorter, longer)
    sizes = [tf.maximum((2 * side * to + of) // (2 * of), 1) for side in (height, width)]
    return tf.stack(sizes)


def pixel_input(model, frame_size=None):
    """The `PixelInput` of a model.

    Args:
        model: a classifier of video with a `protocol`.
        frame_size: height and width of the frames, `(None, None)` for any; they are resized and
            cropped as the protocol specifies. `None`: frames of the model's input size.

    Raises:
        ValueError: if the model has no protocol or takes no frames, or if frames of this size do
            not fit it.
    """
    protocol, shape = protocol_of(model), model.input_shape
    if protocol.modality != VIDEO or not isinstance(shape, tuple) or len(shape) != 5:
        raise ValueError(
            f"pixels=True: the model {model.name!r} takes {shape} ({protocol.modality}), expected "
            "clips of frames only (batch, frames, height, width, channels)."
        )
    normalize = normalization_of(protocol.normalize)
    if normalize is not None and not any(normalize.mean) and set(normalize.std) == {1.0}:
        normalize = None
    frames, *image, channels = shape[1:]
    if frame_size is None and None not in image:
        return PixelInput(shape[1:], None, None, normalize)
    frame_size = _checked_size(ANY_SIZE if frame_size is None else frame_size)
    resize, crop = _fitting(protocol.spatial, tuple(image))
    return _checked_fit(PixelInput((frames, *frame_size, channels), resize, crop, normalize), image)


def _checked_size(frame_size):
    sizes = tuple(frame_size) if isinstance(frame_size, tuple | list) else ()
    known = all(type(side) is int and side > 0 for side in sizes)
    if len(sizes) != 2 or not (known or sizes == ANY_SIZE):
        raise ValueError(
            f"frame_size={frame_size!r}: expected (height, width) in pixels, or (None, None) for "
            "frames of any size."
        )
    return sizes


def _fitting(spatial, image):
    """The resize and the size of the crop for clips of the model's height and width."""
    if spatial.short_side_range or spatial.flip_probability:
        raise ValueError(
            "pixels=True: the model's protocol has random resizing or flipping, expected a "
            "protocol for testing."
        )
    (resize,) = resize_transforms(spatial) or (None,)
    protocol_crop = spatial.crop and (spatial.crop.size, spatial.crop.size)
    crop = protocol_crop if None in image else image
    if resize is not None and resize.size == crop:
        crop = None
    return resize, crop


def _checked_fit(pixels, image):
    """Raises a ValueError if frames of known size are smaller than the crop or misfit the model."""
    size, crop, resize = pixels.shape[1:3], pixels.crop, pixels.resize
    if None not in size:
        after = size if resize is None else resize.output_size(*size)
        fits = crop is None or (after[0] >= crop[0] and after[1] >= crop[1])
    else:
        after = (resize and resize.short_side,) * 2
        fits = crop is None or None in after or after[0] >= min(crop)
    if not fits:
        raise ValueError(
            f"frame_size={size}: after resizing {pixels.resize}, frames are smaller than the "
            f"model's clips, {crop[0]}x{crop[1]}."
        )
    last = crop or after
    if None not in size and any(a not in (None, b) for a, b in zip(image, last, strict=True)):
        raise ValueError(
            f"frame_size={size}: the protocol turns it into {last[0]}x{last[1]}, expected the "
            f"model's {image[0]}x{image[1]}."
        )
    return pixels
