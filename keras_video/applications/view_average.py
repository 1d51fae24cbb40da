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
        average = "prob" if protocol is None else protocol.average
        heads = [final_logits(output) for output in model.outputs]
        kinds = [
            _output_average(output, average, head, activations.get(index))
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


def _output_average(output, average, head, activation):
    """The `OutputAverage` of an output."""
    if head is not None:
        return OutputAverage(average, head.activation)
    operation = output._keras_history.operation
    if operation.name != "predictions" or not isinstance(operation, keras.layers.Activation):
        return OutputAverage(average)
    if operation.activation is not keras.activations.linear:
        return OutputAverage(average)
    usual = "sigmoid" if output.shape[-1] == 1 else "softmax"
    return OutputAverage(average, activation or usual, gives_logits=True)


def _limit(model, clips):
    """Views that go through the network at once."""
    protocol = model.protocol
    if protocol is not None and protocol.max_views:
        return protocol.max_views
    return min(views_at_once(tuple(x.shape)[2:]) for x in tree.flatten(clips))
