"""What a dialect of checkpoint names is: which names it has, and what they are called here."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from keras_video.weights.name_mapping import WeightsError

State = dict[str, np.ndarray]

# What parallel training, compilation and training frameworks put before every name.
WRAPPERS = re.compile(r"^(?:(?:module|model|_orig_mod)\.)+")

PARAMETER = r"(?:weight|bias|running_mean|running_var|num_batches_tracked)"


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How one project names the tensors of its checkpoints.

    Attributes:
        name: what `dialect=` takes.
        pattern: matches the project's names in full, `module.` and `model.` before them left out.
        rules: pairs of pattern and replacement that turn these names into names of layers here,
            as `keras_video.weights.name_mapping` has them. Applied in order, each to the result of
            the one before.
        mark: matches a name in full that every checkpoint of the dialect has, where `pattern` also
            matches all names of another dialect's; or `None`.
        transforms: what is more than names: functions from the state, in the project's names, to
            one that the rules can rename. Applied in order, before the rules.
        head: matches the start of the names of the classifier's tensors.
        ignored: matches names in full that hold nothing to load, or `None`.
        channels_last: whether kernels end in input and output channels as in TensorFlow, where
            PyTorch's begin with output and input channels.
        arguments: `{constructor: {argument: value}}` of the project's networks, where names and
            shapes do not show them but all of its networks agree.
        incomplete: what is said where a model has more than the project's files, or "".
    """

    name: str
    pattern: str
    rules: tuple[tuple[str, str], ...]
    mark: str | None = None
    transforms: tuple[Callable[[State], State], ...] = ()
    head: str = r"(?!)"
    ignored: str | None = None
    channels_last: bool = False
    arguments: Mapping[str, Mapping[str, object]] = dataclasses.field(default_factory=dict)
    incomplete: str = ""

    def score(self, names: Iterable[str]) -> float:
        """The share of names that are this dialect's, from 0 to 1."""
        names = [unwrapped(name) for name in names]
        if self.mark is not None and not any(re.fullmatch(self.mark, name) for name in names):
            return 0.0
        found = [re.fullmatch(self.pattern, name) is not None for name in names]
        return sum(found) / len(found) if found else 0.0

    def prepare(self, state: Mapping[str, np.ndarray]) -> State:
        """The state in the project's names, unwrapped, all transforms applied.

        Raises:
            WeightsError: if two tensors have the same name once they are unwrapped.
        """
        prepared = renamed(state, unwrapped)
        if self.ignored is not None:
            prepared = {
                name: array
                for name, array in prepared.items()
                if not re.fullmatch(self.ignored, name)
            }
        for transform in self.transforms:
            prepared = transform(prepared)
        return prepared

    def rename(self, name: str) -> str:
        """The name here of a tensor of a prepared state."""
        for pattern, replacement in self.rules:
            name = re.sub(pattern, replacement, name)
        return name

    def is_head(self, name: str) -> bool:
        """Whether a tensor of a prepared state belongs to the classifier."""
        return re.match(self.head, name) is not None

    def translate(self, state: Mapping[str, np.ndarray]) -> State:
        """The state in names of layers here.

        Raises:
            WeightsError: if two tensors get the same name.
        """
        return renamed(self.prepare(state), self.rename)


def unwrapped(name: str) -> str:
    """`name` without `module.`, `model.` and the like before it."""
    return WRAPPERS.sub("", name)


def renamed(state: Mapping[str, np.ndarray], rename: Callable[[str], str]) -> State:
    """`state` with every name renamed.

    Raises:
        WeightsError: if two tensors get the same name.
    """
    names: dict[str, str] = {}
    for name in state:
        new = rename(name)
        if new in names:
            raise WeightsError(f"{names[new]!r} and {name!r} name the same tensor, {new!r}.")
        names[new] = name
    return {new: state[name] for new, name in names.items()}


def either(*patterns: str) -> str:
    """A pattern that matches what any of `patterns` does."""
    return "|".join(f"(?:{pattern})" for pattern in patterns)
