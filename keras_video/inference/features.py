"""Features of videos: the output of a layer of a trained model."""

import difflib

import keras
import numpy as np

from keras_video.inference.automatic import outputs_of

POOLING = ("avg", "max", "none")


def feature_model(model, layer=None, pooling="avg"):
    """The part of a model from its input to a layer.

    Args:
        model: a functional model of clips.
        layer: name of the layer; `None` takes the input of the classifier, before dropout.
        pooling: over time and space: "avg", "max", or "none" for the unpooled output.

    Returns:
        A model from clips to float32 features: `(batch, channels)`, or without pooling `(batch,
        ...)`, and `(batch, frames, ...)` for layers with frames folded into the batch.

    Raises:
        ValueError: for a layer that the model does not have, naming similar ones, or an unknown
            `pooling`.
    """
    if pooling not in POOLING:
        raise ValueError(f"pooling={pooling!r}: expected one of {', '.join(POOLING)}.")
    output = before_classifier(model) if layer is None else output_of(model, layer)
    return FeatureModel(keras.Model(model.inputs, output), pooling)


def before_classifier(model):
    """The tensor that the classifier receives, before dropout.

    The classifier is the layer `fc_cls`; in a network without one, the dense layer that
    `predictions` come from.

    Raises:
        ValueError: if there is neither.
    """
    name = "fc_cls"
    last = model.outputs[0]._keras_history.operation
    if last.name == "predictions" and not any(layer.name == name for layer in model.layers):
        source = last.input._keras_history.operation
        name = source.name if isinstance(source, keras.layers.Dense) else name
    tensor = output_of(model, name, end="input")
    while isinstance(layer := tensor._keras_history.operation, keras.layers.Dropout):
        tensor = layer.input
    return tensor


def output_of(model, name, end="output"):
    """The output (or input) of a layer, by name.

    Raises:
        ValueError: if there is none, naming similar layers.
    """
    layers = {layer.name: layer for layer in model.layers}
    if name not in layers:
        close = difflib.get_close_matches(name, layers, n=5, cutoff=0.4)
        raise ValueError(
            f"layer={name!r}: {model.name!r} has no such layer. "
            f"Close: {', '.join(close) or 'none'}."
        )
    return getattr(layers[name], end)


class FeatureModel:
    """A function of clips to features; built by `feature_model`.

    Attributes:
        model: the Keras model from clips to the layer's output.
    """

    def __init__(self, model, pooling):
        self.model = model
        self._pooling = pooling

    def __call__(self, clips, max_views=None, *, optimize="off", to_come=0):
        """Features of clips.

        Args:
            clips: float `(batch, frames, height, width, channels)`.
            max_views: clips per call of the network; `None` for all.
            optimize, to_come: see `predict_views`.

        Returns:
            float32, see `feature_model`.
        """
        clips = np.asarray(clips)
        outputs = outputs_of(self.model, clips, max_views, optimize=optimize, to_come=to_come)
        if len(outputs) != len(clips):  # frames were folded into the batch
            outputs = outputs.reshape(len(clips), -1, *outputs.shape[1:])
        if self._pooling == "none" or outputs.ndim == 2:
            return outputs
        inner = tuple(range(1, outputs.ndim - 1))
        return outputs.mean(inner) if self._pooling == "avg" else outputs.max(inner)
