"""Outputs of videos averaged over their views, inside of a graph and with bounded memory."""

import math
from dataclasses import dataclass

from keras import ops, tree

# Eight clips of 32 frames of 256 x 256 pixels.
PIXELS_AT_ONCE = 2**24
# Of a clip whose size is not known.
_USUAL_SIDE = 256
_LEAST = 1e-37


def views_at_once(shape):
    """How many views of `(frames, height, width, channels)` go through a network at once.

    So many that a ResNet-50's activations stay below a few gigabytes.
    """
    pixels = math.prod(side or _USUAL_SIDE for side in shape[:-1])
    return max(1, PIXELS_AT_ONCE // pixels)


@dataclass(frozen=True)
class OutputAverage:
    """How one output of a model is averaged over views.

    Attributes:
        score_average: "prob" averages probabilities, "score" what comes before the activation.
        activation: "softmax" or "sigmoid", which makes probabilities of logits; `None` for outputs
            that are averaged as they come.
        gives_logits: whether the output is logits, although probabilities may be averaged.
    """

    score_average: str
    activation: str | None = None
    gives_logits: bool = False

    def shapes(self, shape):
        """Those of what `of_views` gives, without the count, for an output of such a shape."""
        if not self.gives_logits or self.score_average == "score":
            return (shape,)
        return (shape, (*shape[:-1], 1) if self.activation == "softmax" else shape)

    def of_views(self, x):
        """What is averaged of the logits, or of another output, `(count, ...)`: tensors."""
        x = ops.cast(x, "float32")
        if self.activation is None or self.score_average == "score":
            return (x,)
        if not self.gives_logits:
            return (self._probabilities(x),)
        if self.activation == "softmax":
            return ops.softmax(x), ops.logsumexp(x, axis=-1, keepdims=True)
        return ops.sigmoid(x), ops.sigmoid(-x)

    def of_means(self, means):
        """From the means of these to `(output, its logits)`; no logits where none were averaged."""
        first = means[0]
        if self.activation is None or (self.gives_logits and self.score_average == "score"):
            return first, None
        if self.score_average == "score":
            return self._probabilities(first), first
        if not self.gives_logits:
            return first, None
        logarithm = ops.log(ops.maximum(first, _LEAST))
        if self.activation == "softmax":
            # With the mean of what a softmax takes away, the logits of one view stay what they are.
            return logarithm + means[1], None
        return logarithm - ops.log(ops.maximum(means[1], _LEAST)), None

    def _probabilities(self, x):
        return ops.softmax(x) if self.activation == "softmax" else ops.sigmoid(x)


def mean_over_views(function, clips, shapes, limit):
    """The means over views of what a function gives for every view.

    Args:
        function: from clips `(count, ...)` to a list of float32 tensors `(count, ...)`.
        clips: tensor `(batch, views, ...)`, or a structure of them.
        shapes: those of the function's tensors without the count; with `None` inside they are
            found by a call of the function.
        limit: at most so many views are given to the function at once.

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
        # The last part begins earlier where the views do not divide: what was seen does not count.
        start = ops.minimum(number * size, count - size)
        places = start + ops.arange(size, dtype="int32")
        unseen = places >= number * size
        values = function(_slices(single, start, size))
        sums = [
            total + ops.segment_sum(_where(unseen, x), places // views, num_segments=batch)
            for total, x in zip(sums, values, strict=True)
        ]
        # TensorFlow would work on several parts side by side, in the memory of all of them, if the
        # number of the next did not wait for the sums.
        waited = ops.minimum(ops.cast(ops.any(ops.isnan(sums[0])), "int32"), 0)
        return (number + 1 + waited, *sums)

    start = (ops.convert_to_tensor(0, "int32"), *(ops.zeros((batch, *shape)) for shape in shapes))
    _, *sums = ops.while_loop(lambda number, *_: number * size < count, add, start)
    return [total / ops.cast(views, "float32") for total in sums]


def _slices(clips, start, size):
    """So many clips from a start on."""

    def part(x):
        shape = ops.shape(x)
        return ops.slice(x, (start, *[0] * (len(shape) - 1)), (size, *shape[1:]))

    return tree.map_structure(part, clips)


def _where(condition, x):
    """Zeros where a condition `(count,)` does not hold for `x` of `(count, ...)`."""
    shape = (-1, *[1] * (len(x.shape) - 1))
    return ops.where(ops.reshape(condition, shape), x, ops.zeros_like(x))


def views_in(clips, inputs):
    """Whether clips have an axis of views after that of the batch.

    Args:
        clips: a tensor or a structure of them.
        inputs: the input tensors of a model.

    Raises:
        ValueError: with all shapes, if some of them have it and others have not, or their channels
            are not those of the model.
    """
    found = [x.shape for x in tree.flatten(clips) if hasattr(x, "shape")]
    if any(getattr(shape, "rank", 0) is None for shape in found):
        return False
    shapes = [tuple(shape) for shape in found]
    ranks = [len(x.shape) for x in inputs]
    if len(shapes) != len(ranks):
        return False
    extra = {len(shape) - rank for shape, rank in zip(shapes, ranks, strict=True)}
    if 1 not in extra:
        return False
    fit = all(shape[-1] in (None, x.shape[-1]) for shape, x in zip(shapes, inputs, strict=True))
    if extra != {1} or not fit:
        wanted = ", ".join(str(tuple(x.shape)) for x in inputs)
        raise ValueError(
            f"received clips of shape {', '.join(map(str, shapes))}, expected {wanted}, or these "
            "with an axis of views after the batch"
        )
    return True
