"""Normalisation on the device, as part of the model: clips travel as bytes."""

import dataclasses

import keras


def normalizes_itself(protocol):
    """Whether the model of a `keras_video.zoo.Protocol` is to normalize its pixels."""
    return protocol.normalize is not None and protocol.normalize.where == "device"


def normalized_input(shape, normalize):
    """A clip of pixels from 0 to 255, normalised: what a model is built on as `input_tensor`.

    Args:
        shape: of a clip, `(frames, height, width, channels)`.
        normalize: a `keras_video.zoo.Normalize`.
    """
    pixels = keras.Input(shape, name="pixels")
    repeats = shape[-1] // len(normalize.mean)
    return keras.layers.Normalization(
        axis=-1,
        mean=[float(value) for value in normalize.mean] * repeats,
        variance=[float(value) ** 2 for value in normalize.std] * repeats,
        invert=False,
        name="normalize",
    )(pixels)


def plain_pixels(normalize):
    """The settings that leave pixels as they are, for a model that normalises them itself."""
    zeros, ones = (tuple(value for _ in normalize.mean) for value in (0.0, 1.0))
    return dataclasses.replace(normalize, mean=zeros, std=ones, where="pipeline")
