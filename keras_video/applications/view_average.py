"""Multi-view inference: model calls on batches with a view axis, averaged over the views."""

import contextlib
import threading

import keras
from keras import tree

from keras_video.applications.logits import final_logits
from keras_video.layers.view_average import (
    OutputAverage,
    mean_over_views,
    views_at_once,
    views_in,
)


class ViewAverage(threading.local):
    """Outputs of a model, averaged over the views of each video according to its protocol.

    Attributes:
        active: whether this thread is inside a call with views.
    """

    active = False
    _network = None

    @contextlib.contextmanager
    def during(self, model, clips, training):
        """Context in which `active` tells whether `clips` have a view axis."""
        before = self.active
        self.active = not training and views_in(clips, model.inputs)
        try:
            yield
        finally:
            self.active = before

    def __call__(self, model, clips, activations):
        """The outputs of a call with views.

        Args:
            model: a `VideoModel`.
            clips: `(batch, views, ...)`, or a structure of them.
            activations: by index of a logit output, the activation that the loss applies to it. If
                there is none, softmax, or sigmoid for a single logit.

        Returns:
            `(outputs, logits)`, the latter by output index, for outputs whose logits were averaged.
        """
        protocol = model.protocol
        score_average = "prob" if protocol is None else protocol.score_average
        heads = [final_logits(output) for output in model.outputs]
        averages = [
            _output_average(output, score_average, head, activations.get(index))
            for index, (output, head) in enumerate(zip(model.outputs, heads, strict=True))
        ]
        network = self._without_activations(model, heads)
        pairs = zip(averages, network.outputs, strict=True)
        shapes = [average.shapes(x.shape[1:]) for average, x in pairs]

        def of_views(part):
            outputs = zip(averages, tree.flatten(network.call(part, training=False)), strict=True)
            return [value for average, x in outputs for value in average.of_views(x)]

        flat = [shape for each in shapes for shape in each]
        means = mean_over_views(of_views, clips, flat, _limit(model, clips))
        results = []
        for average, each in zip(averages, shapes, strict=True):
            results.append(average.of_means(means[: len(each)]))
            means = means[len(each) :]
        outputs = [
            keras.ops.cast(x, output.dtype)
            for (x, _), output in zip(results, model.outputs, strict=True)
        ]
        logits = {index: x for index, (_, x) in enumerate(results) if x is not None}
        return tree.pack_sequence_as(model.output, outputs), logits

    def _without_activations(self, model, heads):
        """The model with logits in place of the probabilities computed from them."""
        if self._network is None:
            self._network = keras.Model(
                model.input,
                [
                    output if head is None else head.tensor
                    for output, head in zip(model.outputs, heads, strict=True)
                ],
            )
        return self._network


class MultiViewMixin:
    """Mixin of a functional model that accepts batches with a view axis at inference."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._view_average = ViewAverage()

    def __call__(self, inputs, *args, training=None, **kwargs):
        # Keras would reject the rank. On JAX its trainer only uses `call`.
        with self._view_average.during(self, inputs, training):
            return super().__call__(inputs, *args, training=training, **kwargs)

    @property
    def input_spec(self):
        average = getattr(self, "_view_average", None)
        return None if average is not None and average.active else super().input_spec

    @input_spec.setter
    def input_spec(self, value):
        # The property of Keras' functional models has a setter too.
        self._manual_input_spec = value

    def make_test_function(self, force=False):
        return self._function_by_rank("test_function", super().make_test_function, force)

    def make_predict_function(self, force=False):
        return self._function_by_rank("predict_function", super().make_predict_function, force)

    def _function_by_rank(self, name, make, force):
        """Sets the named attribute to a step function that depends on the rank, and returns it.

        Args:
            name: name of the attribute.
            make: Keras' method that sets it.
            force: whether to replace an existing function.
        """
        if keras.backend.backend() != "tensorflow":
            make(force)
        elif getattr(self, name) is None or force:

            def make_function():
                before = getattr(self, name)
                make(force=True)
                function = getattr(self, name)
                setattr(self, name, before)
                return function

            setattr(self, name, function_by_rank(make_function))
        return getattr(self, name)


def function_by_rank(make):
    """A step function with a separate function for each rank of its data.

    Otherwise TensorFlow would trace one function of unknown rank for batches with and without
    views.

    Args:
        make: creates a step function.
    """
    functions = {}

    def function(data):
        specs = tree.flatten(getattr(data, "element_spec", data))
        ranks = tuple(len(x.shape) if hasattr(x, "shape") else repr(x) for x in specs)
        if ranks not in functions:
            functions[ranks] = make()
        return functions[ranks](data)

    return function


def _output_average(output, score_average, head, activation):
    """The `OutputAverage` of an output."""
    if head is not None:
        return OutputAverage(score_average, head.activation)
    operation = output._keras_history.operation
    if operation.name != "predictions" or not isinstance(operation, keras.layers.Activation):
        return OutputAverage(score_average)
    if operation.activation is not keras.activations.linear:
        return OutputAverage(score_average)
    default = "sigmoid" if output.shape[-1] == 1 else "softmax"
    return OutputAverage(score_average, activation or default, gives_logits=True)


def _limit(model, clips):
    """Number of views that go through the network at a time."""
    protocol = model.protocol
    if protocol is not None and protocol.max_views:
        return protocol.max_views
    return min(views_at_once(tuple(x.shape)[2:]) for x in tree.flatten(clips))
