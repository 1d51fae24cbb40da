"""`Dialect`: the naming scheme of a project's checkpoints, and its translation to layer names."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from keras_video.weights.name_mapping import WeightsError

State = dict[str, np.ndarray]

# Prefixes added by parallel training, compilation and training frameworks.
WRAPPERS = re.compile(r"^(?:(?:module|model|_orig_mod)\.)+")

PARAMETER = r"(?:weight|bias|running_mean|running_var|num_batches_tracked)"


@dataclasses.dataclass(frozen=True)
class Dialect:
    """The naming scheme of one project's checkpoints.

    Attributes:
        name: the value for `dialect=`.
        pattern: matches the project's full names, without the prefixes `module.` and `model.`.
        rules: pairs of pattern and replacement that turn these names into layer names of this
            package, see `keras_video.weights.name_mapping`. Applied in order, each to the result of
            the previous one.
        mark: matches a full name that every checkpoint of the dialect has, needed if `pattern`
            also matches all names of another dialect; or `None`.
        transforms: changes beyond renaming: functions from the state, in the project's names, to
            one that the rules can rename. Applied in order, before the rules.
        head: matches the start of the names of the classifier's tensors.
        ignored: matches full names of tensors that are not loaded, or `None`.
        channels_last: whether kernels end in input and output channels as in TensorFlow; PyTorch's
            begin with output and input channels.
        arguments: `{constructor: {argument: value}}` shared by all of the project's networks that
            cannot be derived from names and shapes.
        incomplete: message for models with variables that the project's files lack, or "".
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
        """The fraction of names that match this dialect, from 0 to 1."""
        names = [unwrapped(name) for name in names]
        if self.mark is not None and not any(re.fullmatch(self.mark, name) for name in names):
            return 0.0
        matches = [re.fullmatch(self.pattern, name) is not None for name in names]
        return sum(matches) / len(matches) if matches else 0.0

    def prepare(self, state: Mapping[str, np.ndarray]) -> State:
        """The state in the project's names, without prefixes, with all transforms applied.

        Raises:
            WeightsError: if two tensors have the same name without prefixes.
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
        """The layer name of a tensor of a prepared state."""
        for pattern, replacement in self.rules:
            name = re.sub(pattern, replacement, name)
        return name

    def is_head(self, name: str) -> bool:
        """Whether a tensor of a prepared state belongs to the classifier."""
        return re.match(self.head, name) is not None

    def translate(self, state: Mapping[str, np.ndarray]) -> State:
        """The state in this package's layer names.

        Raises:
            WeightsError: if two tensors get the same name.
        """
        return renamed(self.prepare(state), self.rename)


def unwrapped(name: str) -> str:
    """`name` without prefixes such as `module.` and `model.`."""
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
    """A pattern that matches whatever any of `patterns` matches."""
    return "|".join(f"(?:{pattern})" for pattern in patterns)
