"""Image augmentation layers of Keras and KerasCV as clip transforms."""

import contextlib
from dataclasses import dataclass

import keras
import tensorflow as tf

from keras_video.data.transforms.frames import Seed, each_frame, fold_in, randint_below, uniform

# These draw while they process an image, or mix the images of a batch.
_UNSUPPORTED = frozenset(
    ["AugMix", "CutMix", "FourierMix", "MixUp", "Mosaic"]
    + ["RandomApply", "RandomChoice", "RepeatedAugmentation"]
)


@dataclass(frozen=True)
class ImageLayer:
    """Applies an image augmentation layer to all frames of a clip with the same random draw.

    Layers of `keras.layers` (`RandomRotation`, `RandomColorJitter`, ...) draw from the transform's
    seed; `keras.layers.RandAugment` and all layers of `keras_cv.layers` (`RandomHue`,
    `RandAugment`, ...) draw from their own generators, so their results are not reproducible. The
    layer must keep the frame size. uint8 clips remain uint8, rounded.

    Args:
        layer: the layer, for pixel values from 0 to 255.

    Raises:
        ValueError: for layers that always draw per image (`AugMix`) or mix images, and for objects
            that are not augmentation layers.
    """

    layer: object

    def __post_init__(self):
        name = type(self.layer).__name__
        if name in _UNSUPPORTED:
            raise ValueError(
                f"ImageLayer: received {name}, which mixes images or draws per image; use "
                "keras_video.data.AugMix, MixUp or CutMix"
            )
        if not any(hasattr(self.layer, attribute) for attribute in _DRAWS):
            raise ValueError(
                f"ImageLayer: received {self.layer!r}, expected an augmentation layer of "
                "keras.layers or keras_cv.layers"
            )
        value_range = getattr(self.layer, "value_range", (0, 255))
        if tuple(value_range) != (0, 255):
            raise ValueError(
                f"ImageLayer: received {name} with value_range={value_range!r}, expected (0, 255)"
            )

    def __call__(self, clip: tf.Tensor, seed: Seed) -> tf.Tensor:
        uniform(self, seed, 1)
        return each_frame(lambda frames: self._augmented(frames, seed), tf.convert_to_tensor(clip))

    def _augmented(self, frames, seed):
        result = _draw(self.layer, tf.cast(frames, tf.float32), seed)
        if frames.dtype == tf.uint8:
            result = tf.clip_by_value(tf.round(result), 0, 255)
        return tf.cast(result, frames.dtype)


def _draw(layer, frames, seed):
    """Applies the layer with one random draw to float32 frames."""
    for attribute, draw in _DRAWS.items():
        if hasattr(layer, attribute):
            return tf.ensure_shape(draw(layer, frames, seed), frames.shape)
    raise TypeError(f"received {layer!r}, expected an augmentation layer")


def _draw_some(pipeline, frames, seed):
    """KerasCV pipelines: a few layers, each chosen at random."""
    for number in range(pipeline.augmentations_per_image):
        draws = tf.random.stateless_uniform([2], fold_in(seed, number))
        choice = randint_below(draws[1], len(pipeline.layers))
        branches = [
            lambda layer=layer, frames=frames: _draw(layer, frames, seed)
            for layer in pipeline.layers
        ]
        frames = tf.cond(
            draws[0] > pipeline.rate,
            lambda frames=frames: frames,
            lambda choice=choice, branches=branches: tf.switch_case(choice, branches),
        )
    return frames


def _draw_batch(layer, frames, seed):
    """KerasCV layers that process batches."""
    drawn = layer.get_random_transformation_batch(1, images=frames[:1])

    def transform(frame):
        return layer.augment_images(frame[None], transformations=drawn)[0]

    return _each(transform, frames)


def _draw_keras(layer, frames, seed):
    """Layers of Keras."""
    with _in_tensorflow(layer):
        drawn = layer.get_random_transformation(frames[0], training=True, seed=_GivenSeed(seed))
        return _each(lambda frame: layer.transform_single_image(frame, drawn), frames)


def _draw_image(layer, frames, seed):
    """KerasCV layers that process single images."""
    drawn = layer.get_random_transformation(image=frames[0])
    return _each(lambda frame: layer.augment_image(frame, transformation=drawn), frames)


# Attributes that identify the kinds of layers, in the order of the checks.
_DRAWS = {
    "augmentations_per_image": _draw_some,
    "get_random_transformation_batch": _draw_batch,
    "transform_single_image": _draw_keras,
    "augment_image": _draw_image,
}


def _each(transform, frames):
    shape = tf.TensorSpec(frames.shape[1:], tf.float32)
    return tf.map_fn(
        lambda frame: tf.cast(transform(frame), tf.float32), frames, fn_output_signature=shape
    )


@contextlib.contextmanager
def _in_tensorflow(layer):
    """Makes a Keras layer compute with TensorFlow, whatever the backend."""
    layer.backend.set_backend("tensorflow")
    try:
        yield
    finally:
        layer.backend.reset()


class _GivenSeed(keras.random.SeedGenerator):
    """Supplies Keras' random functions with seeds derived from the transform's seed."""

    def __init__(self, seed):
        self._given = seed
        self._count = 0

    def next(self, ordered=True):
        self._count += 1
        return tf.bitcast(fold_in(self._given, self._count), tf.uint32)
