"""Outputs of videos averaged over their views, within a graph and with bounded memory."""

import math
from dataclasses import dataclass

from keras import ops, tree

# Eight clips of 32 frames of 256 x 256 pixels.
PIXELS_AT_ONCE = 2**24
# Assumed for unknown clip sizes.
_USUAL_SIDE = 256
_LEAST = 1e-37


def views_at_once(shape):
    """Number of views `(frames, height, width, channels)` to pass through a network at a time.

    Chosen so that a ResNet-50's activations stay below a few gigabytes.
    """
    pixels = math.prod(side or _USUAL_SIDE for side in shape[:-1])
    return max(1, PIXELS_AT_ONCE // pixels)


@dataclass(frozen=True)
class OutputAverage:
    """How one output of a model is averaged over views.

    Attributes:
        score_average: "prob" averages probabilities, "score" the values before the activation.
        activation: "softmax" or "sigmoid", to turn logits into probabilities; `None` for outputs
            that are averaged unchanged.
        gives_logits: whether the output is logits, although probabilities may be averaged.
    """

    score_average: str
    activation: str | None = None
    gives_logits: bool = False

    def shapes(self, shape):
        """Shapes of the tensors of `of_views`, without the count, for an output of this shape."""
        if not self.gives_logits or self.score_average == "score":
            return (shape,)
        return (shape, (*shape[:-1], 1) if self.activation == "softmax" else shape)

    def of_views(self, x):
        """The tensors `(count, ...)` to average for logits or another output."""
        x = ops.cast(x, "float32")
        if self.activation is None or self.score_average == "score":
            return (x,)
        if not self.gives_logits:
            return (self._probabilities(x),)
        if self.activation == "softmax":
            return ops.softmax(x), ops.logsumexp(x, axis=-1, keepdims=True)
        return ops.sigmoid(x), ops.sigmoid(-x)

    def of_means(self, means):
        """`(output, its logits)` from the means of these; `None` if no logits were averaged."""
        first = means[0]
        if self.activation is None or (self.gives_logits and self.score_average == "score"):
            return first, None
        if self.score_average == "score":
            return self._probabilities(first), first
        if not self.gives_logits:
            return first, None
        logarithm = ops.log(ops.maximum(first, _LEAST))
        if self.activation == "softmax":
            # Adding the mean of what a softmax subtracts leaves a single view's logits unchanged.
            return logarithm + means[1], None
        return logarithm - ops.log(ops.maximum(means[1], _LEAST)), None

    def _probabilities(self, x):
        return ops.softmax(x) if self.activation == "softmax" else ops.sigmoid(x)


def mean_over_views(function, clips, shapes, limit):
    """Means over views of a function's outputs.

    Args:
        function: from clips `(count, ...)` to a list of float32 tensors `(count, ...)`.
        clips: tensor `(batch, views, ...)`, or a structure of them.
        shapes: shapes of the function's tensors without the count; if they contain `None`, a call
            of the function determines them.
        limit: maximum number of views passed to the function at a time.

    Returns:
        List of tensors `(batch, ...)`.
    """
    batch, views = ops.shape(tree.flatten(clips)[0])[:2]
    single = tree.map_structure(lambda x: ops.reshape(x, (-1, *ops.shape(x)[2:])), clips)
    count = batch * views
    if isinstance(count, int) and count <= limit:
        return [
            ops.mean(ops.reshape(x, (batch, views, *ops.shape(x)[1:])), axis=1)
            for x in function(single)
        ]
    size = min(count, limit) if isinstance(count, int) else ops.minimum(count, limit)
    if any(None in shape for shape in shapes):
        shapes = [ops.shape(x)[1:] for x in function(_slices(single, 0, size))]

    def add(number, *sums):
        # If the views do not divide evenly, the last part starts earlier: repeats do not count.
        start = ops.minimum(number * size, count - size)
        indices = start + ops.arange(size, dtype="int32")
        is_new = indices >= number * size
        values = function(_slices(single, start, size))
        sums = [
            total + ops.segment_sum(_where(is_new, x), indices // views, num_segments=batch)
            for total, x in zip(sums, values, strict=True)
        ]
        # The next part's number waits for the sums: otherwise TensorFlow would process several
        # parts in parallel, with the memory of all of them.
        waited = ops.minimum(ops.cast(ops.any(ops.isnan(sums[0])), "int32"), 0)
        return (number + 1 + waited, *sums)

    start = (ops.convert_to_tensor(0, "int32"), *(ops.zeros((batch, *shape)) for shape in shapes))
    _, *sums = ops.while_loop(lambda number, *_: number * size < count, add, start)
    return [total / ops.cast(views, "float32") for total in sums]


def _slices(clips, start, size):
    """`size` clips from `start` on."""

    def part(x):
        shape = ops.shape(x)
        return ops.slice(x, (start, *[0] * (len(shape) - 1)), (size, *shape[1:]))

    return tree.map_structure(part, clips)


def _where(condition, x):
    """`x` of `(count, ...)`, with zeros where a condition `(count,)` does not hold."""
    shape = (-1, *[1] * (len(x.shape) - 1))
    return ops.where(ops.reshape(condition, shape), x, ops.zeros_like(x))


def views_in(clips, inputs):
    """Whether clips have a views axis after the batch axis.

    Args:
        clips: a tensor or a structure of them.
        inputs: the input tensors of a model.

    Raises:
        ValueError: quoting all shapes, if only some of them have it, or their channels are not
            those of the model.
    """
    received = [x.shape for x in tree.flatten(clips) if hasattr(x, "shape")]
    if any(getattr(shape, "rank", 0) is None for shape in received):
        return False
    shapes = [tuple(shape) for shape in received]
    ranks = [len(x.shape) for x in inputs]
    if len(shapes) != len(ranks):
        return False
    extra = {len(shape) - rank for shape, rank in zip(shapes, ranks, strict=True)}
    if 1 not in extra:
        return False
    fit = all(shape[-1] in (None, x.shape[-1]) for shape, x in zip(shapes, inputs, strict=True))
    if extra != {1} or not fit:
        expected = ", ".join(str(tuple(x.shape)) for x in inputs)
        raise ValueError(
            f"received clips of shape {', '.join(map(str, shapes))}, expected {expected}, or these "
            "with a views axis after the batch axis"
        )
    return True
