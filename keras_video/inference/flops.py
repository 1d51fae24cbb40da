"""Cost of a model, counted from the shapes of its layers."""

import math
from dataclasses import dataclass, field

import keras
from absl import logging

from keras_video.inference.costs import COUNTERS, Cost
from keras_video.layers.rebuilding import require_functional

RELUS = (keras.activations.relu, keras.activations.relu6)


@dataclass
class CostReport:
    """The costs of the layers of a model, in order of computation.

    Attributes:
        layers: `(name, type, output shape, cost)` of every layer call.
        unknown: names of layers with weights whose operations cannot be counted.
    """

    layers: list = field(default_factory=list)
    unknown: list = field(default_factory=list)

    @property
    def total(self):
        return sum((cost for *_, cost in self.layers), Cost())


def count_flops(model, input_shape=None):
    """Counts the cost of one clip.

    Args:
        model: a functional model; nested models are included.
        input_shape: shape of a clip, without the batch; needed if the model has unknown dimensions.

    Returns:
        A `CostReport`; its `total.multiply_adds` and `total.published` are the sums.

    Raises:
        ValueError: if a dimension is unknown, or the model is not functional.
    """
    require_functional(model, "count_flops")
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    shapes = shapes if input_shape is None else [tuple(input_shape)]
    if any(None in shape for shape in shapes) or len(shapes) != len(model.inputs):
        raise ValueError(f"input_shape={input_shape}: the model takes {model.input_shape}.")
    report = CostReport()
    pairs = zip(shapes, model.inputs, strict=True)
    follow(model, [keras.KerasTensor((1, *shape), x.dtype) for shape, x in pairs], report)
    if report.unknown:
        logging.warning("%s: not counted: %s.", model.name, ", ".join(report.unknown))
    return report


def follow(model, inputs, report):
    """Runs a model's graph symbolically and adds the cost of its layers to `report`."""

    def counted(operation):
        def call(*args, **kwargs):
            if isinstance(operation, keras.Function):
                return follow(operation, keras.tree.flatten(args), report)
            outputs = operation.compute_output_spec(*args, **kwargs)
            tensors = keras.tree.flatten((args, outputs))
            shapes = [tuple(size or 1 for size in tensor.shape)
                      for tensor in tensors if keras.utils.is_keras_tensor(tensor)]  # fmt: skip
            add(operation, shapes[:-1], shapes[-1], report)
            return outputs

        return call

    return model._run_through_graph(inputs, operation_fn=counted)  # public nowhere


def add(layer, inputs, output, report):
    """Appends the cost of one layer to `report`."""
    counter = next((COUNTERS[kind] for kind in type(layer).__mro__ if kind in COUNTERS), None)
    if counter is None and getattr(layer, "weights", None):
        report.unknown.append(layer.name)
    cost = counter(layer, inputs, output) if counter else Cost()
    if getattr(layer, "activation", None) in RELUS:
        cost += Cost(relu=math.prod(output))
    report.layers.append((layer.name, type(layer).__name__, output, cost))
