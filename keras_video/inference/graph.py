"""The graph of an exported file: named inputs, named outputs, and a single copy of the weights."""

from dataclasses import dataclass

import keras
import tensorflow as tf

from keras_video.inference.pixel_input import PixelInput

CLIP, PIXELS, SCORES, FEATURES = "clip", "pixels", "scores", "features"
SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Graph:
    """A model as a function of named tensors.

    Attributes:
        model: a functional Keras model.
        batch_size: clips per batch; `None` for any number.
        pixels: preprocessing of frames before the model, or `None` if it takes clips.
    """

    model: keras.Model
    batch_size: int | None = None
    pixels: PixelInput | None = None

    @property
    def inputs(self):
        """`{name: tf.TensorSpec}`; a model whose only input is frames takes `clip` or `pixels`."""
        if self.pixels is not None:
            return {PIXELS: tf.TensorSpec((self.batch_size, *self.pixels.shape), tf.uint8, PIXELS)}
        return {
            self._input_name(x): tf.TensorSpec(
                (self.batch_size, *x.shape[1:]), x.dtype, self._input_name(x)
            )
            for x in self.model.inputs
        }

    @property
    def outputs(self):
        """Names in the order of the model's outputs, `scores` or `features` first."""
        first, *others = (x._keras_history.operation for x in self.model.outputs)
        classifies = isinstance(first, keras.layers.Activation) and first.name == "predictions"
        return (SCORES if classifies else FEATURES, *(layer.name for layer in others))

    def __call__(self, inputs):
        """The outputs `{name: tensor}` for inputs `{name: tensor}`."""
        if self.pixels is not None:
            arguments = self.pixels(inputs[PIXELS])
        else:
            arguments = keras.tree.map_structure(
                lambda x: inputs[self._input_name(x)], self.model.input
            )
        outputs = keras.tree.flatten(self.model(arguments, training=False))
        return {name: tf.identity(value) for name, value in zip(self.outputs, outputs, strict=True)}

    def _input_name(self, tensor):
        single_clip = len(self.model.inputs) == 1 and len(tensor.shape) == 5
        return CLIP if single_clip else tensor.name


def save_graph(graph, folder):
    """Writes the SavedModel of a `Graph`, with a single copy of every weight."""

    @tf.function(autograph=False)
    def serve(**inputs):
        return graph(inputs)

    module = tf.Module()
    module.weights = [variable.value for variable in graph.model.variables]
    module.serve = serve
    function = serve.get_concrete_function(**graph.inputs)
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: function})
