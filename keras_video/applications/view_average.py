"""Videos of several views through a model: what its call gives of a batch with an axis of views."""

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
    """The outputs of a model, averaged over the views of each video as its protocol says.

    Attributes:
        active: whether this thread is inside a call with views.
    """

    active = False
    _network = None

    @contextlib.contextmanager
    def during(self, model, clips, training):
        """Within it, `active` says whether `clips` have an axis of views."""
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
            activations: by the index of an output of logits, the activation that the loss applies
                to it; softmax if there is none, of one logit sigmoid.

        Returns:
            `(outputs, logits)`, the latter by the index of the output, where they were averaged.
        """
        protocol = model.protocol
        score_average = "prob" if protocol is None else protocol.score_average
        heads = [final_logits(output) for output in model.outputs]
        kinds = [
            _output_average(output, score_average, head, activations.get(index))
            for index, (output, head) in enumerate(zip(model.outputs, heads, strict=True))
        ]
        network = self._without_activations(model, heads)
        shapes = [kind.shapes(x.shape[1:]) for kind, x in zip(kinds, network.outputs, strict=True)]

        def of_views(part):
            outputs = zip(kinds, tree.flatten(network.call(part, training=False)), strict=True)
            return [value for kind, x in outputs for value in kind.of_views(x)]

        flat = [shape for each in shapes for shape in each]
        means = mean_over_views(of_views, clips, flat, _limit(model, clips))
        found = []
        for kind, each in zip(kinds, shapes, strict=True):
            found.append(kind.of_means(means[: len(each)]))
            means = means[len(each) :]
        outputs = [
            keras.ops.cast(x, output.dtype)
            for (x, _), output in zip(found, model.outputs, strict=True)
        ]
        logits = {index: x for index, (_, x) in enumerate(found) if x is not None}
        return tree.pack_sequence_as(model.output, outputs), logits

    def _without_activations(self, model, heads):
        """The model with logits in place of the probabilities that are made of them."""
        if self._network is None:
            self._network = keras.Model(
                model.input,
                [
                    output if head is None else head.tensor
                    for output, head in zip(model.outputs, heads, strict=True)
                ],
            )
        return self._network


class TakesViews:
    """What a functional model needs to take batches with an axis of views out of training."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._view_average = ViewAverage()

    def __call__(self, inputs, *args, training=None, **kwargs):
        # Keras would refuse the rank. On JAX its trainer goes by `call` alone.
        with self._view_average.during(self, inputs, training):
            return super().__call__(inputs, *args, training=training, **kwargs)

    @property
    def input_spec(self):
        average = getattr(self, "_view_average", None)
        return None if average is not None and average.active else super().input_spec

    @input_spec.setter
    def input_spec(self, value):
        # The property of Keras' functional models has one too.
        self._manual_input_spec = value

    def make_test_function(self, force=False):
        return self._function_by_rank("test_function", super().make_test_function, force)

    def make_predict_function(self, force=False):
        return self._function_by_rank("predict_function", super().make_predict_function, force)

    def _function_by_rank(self, name, make, force):
        """Sets the attribute of this name to the function of a step, and gives it.

        Args:
            name: of the attribute.
            make: Keras' method that sets it.
            force: whether to make a function where there is one.
        """
        if keras.backend.backend() != "tensorflow":
            make(force)
        elif getattr(self, name) is None or force:

            def another():
                before = getattr(self, name)
                make(force=True)
                function = getattr(self, name)
                setattr(self, name, before)
                return function

            setattr(self, name, function_by_rank(another))
        return getattr(self, name)


def function_by_rank(make):
    """A function of a step that is made for every rank of its data.

    TensorFlow would trace one function for batches with and without views, of unknown rank.

    Args:
        make: makes the function of a step.
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
    usual = "sigmoid" if output.shape[-1] == 1 else "softmax"
    return OutputAverage(score_average, activation or usual, gives_logits=True)


def _limit(model, clips):
    """Views that go through the network at once."""
    protocol = model.protocol
    if protocol is not None and protocol.max_views:
        return protocol.max_views
    return min(views_at_once(tuple(x.shape)[2:]) for x in tree.flatten(clips))
