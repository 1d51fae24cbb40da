"""What a model costs, counted from the shapes of its layers."""

import math
from dataclasses import dataclass, field

import keras
from absl import logging

from keras_video.inference.costs import COUNTERS, Cost
from keras_video.layers.rebuilding import require_functional

RELUS = (keras.activations.relu, keras.activations.relu6)


@dataclass
class CostReport:
    """The costs of the layers of a model, in the order they are computed.

    Attributes:
        layers: `(name, type, output shape, cost)` of every call of a layer.
        unknown: names of layers with weights whose operations are not known.
    """

    layers: list = field(default_factory=list)
    unknown: list = field(default_factory=list)

    @property
    def total(self):
        return sum((cost for *_, cost in self.layers), Cost())


def count_flops(model, input_shape=None):
    """What one clip costs.

    Args:
        model: a functional model; models inside it are counted as well.
        input_shape: of a clip, without the batch; needed where the model leaves axes open.

    Returns:
        A `CostReport`; `count.total.multiply_adds` and `count.total.published` are the sums.

    Raises:
        ValueError: if an axis is open, or the model is not a functional one.
    """
    require_functional(model, "count_flops")
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    shapes = shapes if input_shape is None else [tuple(input_shape)]
    if any(None in shape for shape in shapes) or len(shapes) != len(model.inputs):
        raise ValueError(f"input_shape={input_shape}: the model takes {model.input_shape}.")
    count = CostReport()
    pairs = zip(shapes, model.inputs, strict=True)
    follow(model, [keras.KerasTensor((1, *shape), x.dtype) for shape, x in pairs], count)
    if count.unknown:
        logging.warning("%s: not counted: %s.", model.name, ", ".join(count.unknown))
    return count


def follow(model, inputs, count):
    """The outputs of a model's graph for these shapes, its layers counted on the way."""

    def counted(operation):
        def call(*args, **kwargs):
            if isinstance(operation, keras.Function):
                return follow(operation, keras.tree.flatten(args), count)
            outputs = operation.compute_output_spec(*args, **kwargs)
            tensors = keras.tree.flatten((args, outputs))
            ours = [tuple(size or 1 for size in tensor.shape)
                    for tensor in tensors if keras.utils.is_keras_tensor(tensor)]  # fmt: skip
            add(operation, ours[:-1], ours[-1], count)
            return outputs

        return call

    return model._run_through_graph(inputs, operation_fn=counted)  # public nowhere


def add(layer, inputs, output, count):
    """Appends the cost of one layer to `count`."""
    counter = next((COUNTERS[kind] for kind in type(layer).__mro__ if kind in COUNTERS), None)
    if counter is None and getattr(layer, "weights", None):
        count.unknown.append(layer.name)
    cost = counter(layer, inputs, output) if counter else Cost()
    if getattr(layer, "activation", None) in RELUS:
        cost += Cost(relu=math.prod(output))
    count.layers.append((layer.name, type(layer).__name__, output, cost))
