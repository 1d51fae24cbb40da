"""Builds frozen dataclasses from JSON values, checked against their type annotations."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping

from keras_video.zoo.clip_settings import PHASES, Phases
from keras_video.zoo.frozen import FrozenDict

# The key of a value that holds for every phase.
ALL_PHASES = "all"


@functools.cache
def type_hints(cls):
    return typing.get_type_hints(cls)


def build(annotation, value, where):
    """`value` converted to the type `annotation`.

    Args:
        annotation: a dataclass, `Phases[...]`, `tuple[...]`, `X | None`, `Mapping`, or a scalar
            type.
        value: value from the JSON file.
        where: position in the file, for error messages.

    Raises:
        ValueError: with the position, the value found and what was expected.
    """
    origin = typing.get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        return build_optional(annotation, value, where)
    if origin is Phases:
        return build_phases(typing.get_args(annotation)[0], value, where)
    if origin is tuple:
        return build_tuple(typing.get_args(annotation), value, where)
    if annotation is Mapping:
        return FrozenDict(expect(dict, value, where))
    if dataclasses.is_dataclass(annotation):
        return build_dataclass(annotation, value, where)
    if annotation is float and type(value) is int:
        return float(value)
    return expect(annotation, value, where)


def expect(kind, value, where):
    if type(value) is not kind:
        raise ValueError(f"{where}: found {value!r}, expected {kind.__name__}.")
    return value


def build_optional(annotation, value, where):
    if value is None:
        return None
    (inner,) = (kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
    return build(inner, value, where)


def build_phases(setting, value, where):
    expect(dict, value, where)
    if set(value) == {ALL_PHASES}:
        value = dict.fromkeys(PHASES, value[ALL_PHASES])
    unknown = set(value) - set(PHASES)
    if unknown:
        raise ValueError(f"{where}: found phases {sorted(unknown)}, expected {PHASES}.")
    return Phases(
        **{
            phase: build(setting, inner, f"{where}.{phase}")
            for phase, inner in value.items()
            if inner is not None
        }
    )


def build_tuple(arguments, value, where):
    expect(list, value, where)
    if arguments[-1] is Ellipsis:
        arguments = arguments[:1] * len(value)
    if len(arguments) != len(value):
        raise ValueError(f"{where}: found {value!r}, expected {len(arguments)} values.")
    pairs = zip(arguments, value, strict=True)
    return tuple(build(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs))


def build_dataclass(cls, value, where):
    expect(dict, value, where)
    annotations = type_hints(cls)
    unknown = set(value) - set(annotations)
    if unknown:
        raise ValueError(f"{where}: {cls.__name__} has no {', '.join(sorted(unknown))}.")
    try:
        return cls(
            **{key: build(annotations[key], item, f"{where}.{key}") for key, item in value.items()}
        )
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error
