"""The layer shapes of a checkpoint, and the network identified from them."""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping

from keras_video.layers.residual import RESNET_BLOCKS


@dataclasses.dataclass(frozen=True)
class DetectedNetwork:
    """A network identified from the tensor names and shapes of a checkpoint.

    Attributes:
        constructor: its name in `keras_video.applications`.
        arguments: the arguments determined by names and shapes.
        undetermined: `{argument: description}` of the arguments that they do not determine.
        choose: `choose(arguments)` returns the constructor and its arguments if an undetermined
            argument decides between networks with the same tensors.
        deciding: arguments that only this constructor takes: passing one of them decides too.
    """

    constructor: str
    arguments: dict
    undetermined: dict = dataclasses.field(default_factory=dict)
    choose: Callable | None = None
    deciding: tuple[str, ...] = ()

    def chosen(self, arguments):
        """The constructor and its arguments, when all are known."""
        if self.choose is None:
            return self.constructor, arguments
        return self.choose(arguments)

    def decided(self, given):
        """Whether one of the given arguments settles which network it is."""
        return any(name in given for name in self.deciding)


@dataclasses.dataclass(frozen=True)
class Layers:
    """The tensors of a checkpoint as `{name of a layer's parameter: shape}`, PyTorch's axis order.

    Attributes:
        shapes: keyed by the layer names of this library.
        names: the original names in the checkpoint.
    """

    shapes: Mapping[str, tuple[int, ...]]
    names: tuple[str, ...]

    @classmethod
    def of(cls, state, dialect):
        """The layers of a checkpoint `{name: array}` in a dialect."""
        shapes = {}
        for name, array in dialect.translate(state).items():
            shape = tuple(array.shape)
            if dialect.channels_last and len(shape) > 1:
                shape = (shape[-1], shape[-2], *shape[:-2])
            shapes[
                name.removesuffix(".kernel") + ".weight" if name.endswith(".kernel") else name
            ] = shape
        return cls(shapes, tuple(state))

    def __contains__(self, name):
        return name in self.shapes

    def shape(self, name):
        """The shape of a tensor, `()` if there is none."""
        return tuple(self.shapes.get(name, ()))

    def has(self, pattern):
        """Whether the pattern matches within the name of any layer parameter."""
        return any(re.search(pattern, name) for name in self.shapes)

    def named(self, pattern):
        """Whether the pattern matches within any original name in the checkpoint."""
        return any(re.search(pattern, name) for name in self.names)

    def blocks(self, prefix="", stages=4):
        """The number of blocks per stage (`layer1` and so on, after `prefix`)."""
        counts = []
        for stage in range(1, stages + 1):
            block = re.compile(rf"{re.escape(prefix)}layer{stage}\.(\d+)\.")
            numbers = [int(match[1]) for name in self.shapes if (match := block.match(name))]
            counts.append(max(numbers, default=-1) + 1)
        return tuple(counts)

    def depth(self, prefix=""):
        """The depth of a residual network, `None` if its blocks match no known depth."""
        counts = self.blocks(prefix)
        bottleneck = f"{prefix}layer1.0.conv3.conv.weight" in self
        for depth, known in RESNET_BLOCKS.items():
            if counts == known and bottleneck == (depth >= 50):
                return depth
        return None

    def temporal_kernels(self, prefix=""):
        """Per stage, the temporal kernel size of the first convolution of every block."""
        return tuple(
            tuple(
                self.shape(f"{prefix}layer{stage}.{index}.conv1.conv.weight")[2]
                for index in range(count)
            )
            for stage, count in enumerate(self.blocks(prefix), 1)
            if len(self.shape(f"{prefix}layer{stage}.0.conv1.conv.weight")) == 5
        )

    def classes(self):
        """The number of outputs of the classifier, `None` if there is none."""
        relations = [name for name in self.shapes if name.startswith("consensus.")]
        last = [name for name in relations if name.endswith(".3.weight")]
        plain = [name for name in relations if name.endswith(".weight")]
        for name in (*last[-1:], *plain[-1:], "fc2.weight", "fc_cls.weight"):
            if name in self:
                return self.shape(name)[0]
        return None


def repeated(sizes, count):
    """A pattern of temporal kernel sizes, repeated to `count` blocks."""
    return tuple(sizes[index % len(sizes)] for index in range(count))


def square(count):
    """The side of a square of `count` positions, `None` if `count` is not a square number."""
    side = math.isqrt(count)
    return side if side * side == count else None
