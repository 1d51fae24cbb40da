"""Converts samplers, sources, transforms and records to JSON and back; known classes only."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ..annotations.records import Record
from ..sampling import DenseSampleFrames, SampleFrames, UntrimmedSampleFrames
from ..sources.raw_frames import FlowFrames, RawFrames
from ..sources.videos import Images, VideoParts, Videos
from ..transforms.aug_mix import AugMix
from ..transforms.basic import Flip, Normalize, RandomRescale, Resize
from ..transforms.color import ColorJitter, PixelDropout
from ..transforms.crops import (
    CenterCrop,
    MultiScaleCrop,
    RandomCrop,
    RandomResizedCrop,
    TenCrop,
    ThreeCrop,
)
from ..transforms.operations import IMGAUG, PYTORCHVIDEO, PYTORCHVIDEO_AUG_MIX
from ..transforms.rand_augment import RandAugment
from ..transforms.warp import Rotate

SAMPLERS = (SampleFrames, DenseSampleFrames, UntrimmedSampleFrames)
SOURCES = (Videos, VideoParts, Images, RawFrames, FlowFrames)
TRANSFORMS = (
    *(Flip, Normalize, RandomRescale, Resize, CenterCrop, MultiScaleCrop, RandomCrop),
    *(RandomResizedCrop, TenCrop, ThreeCrop, ColorJitter, PixelDropout, Rotate),
    *(RandAugment, AugMix),
)
KNOWN = (*SAMPLERS, *SOURCES, *TRANSFORMS, Record)
# Functions cannot be serialized as values, so they are sent as positions in these lists.
_OPERATIONS = tuple(dict.fromkeys((*IMGAUG, *PYTORCHVIDEO, *PYTORCHVIDEO_AUG_MIX)))
_MAX_DEPTH = 20


def encode(value, where):
    """Converts a setting to JSON values.

    Args:
        value: None, numbers, strings, tuples, mappings, ranges and dataclasses of these.
        where: name of the setting in error messages.

    Raises:
        ValueError: for any other type.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return {"tuple": [encode(item, where) for item in value]}
    if isinstance(value, frozenset):
        return {"frozenset": [encode(item, where) for item in sorted(value)]}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, Mapping):
        return {"dict": [[encode(key, where), encode(item, where)] for key, item in value.items()]}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: encode(getattr(value, field.name), f"{where}.{field.name}")
            for field in dataclasses.fields(value)
            if field.init
        }
        return {"class": type(value).__name__, "fields": fields}
    if value in _OPERATIONS:
        return {"operation": _OPERATIONS.index(value)}
    raise ValueError(
        f"{where}: received {value!r:.200}, expected a dataclass of numbers, strings and "
        "similar values: workers accept no code"
    )


def decode(value, known=KNOWN, depth=0):
    """Converts the JSON values of `encode` back to a setting.

    Args:
        value: JSON values.
        known: the dataclasses that may be constructed.

    Raises:
        ValueError: for values of another format, or of an unknown class, or rejected by the
            constructor of a class.
    """
    if depth > _MAX_DEPTH:
        raise ValueError("received settings that are nested too deeply")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    match value:
        case {"tuple": list(items), **rest} if not rest:
            return tuple(decode(item, known, depth + 1) for item in items)
        case {"frozenset": list(items), **rest} if not rest:
            return frozenset(decode(item, known, depth + 1) for item in items)
        case {"range": [int(start), int(stop), int(step)], **rest} if not rest and step:
            return range(start, stop, step)
        case {"operation": int(number), **rest} if not rest and 0 <= number < len(_OPERATIONS):
            return _OPERATIONS[number]
        case {"dict": list(pairs), **rest} if not rest:
            return dict(decode({"tuple": pair}, known, depth + 1) for pair in pairs)
        case {"class": str(name), "fields": dict(fields), **rest} if not rest:
            return _build(name, fields, known, depth)
    raise ValueError(f"received {value!r:.200}, expected an encoded setting")


def _build(name, fields, known, depth):
    classes = [kind for kind in known if kind.__name__ == name]
    if not classes:
        names = ", ".join(kind.__name__ for kind in known)
        raise ValueError(f"received the class {name!r:.100}, expected one of {names}")
    values = {key: decode(value, known, depth + 1) for key, value in fields.items()}
    expected = {field.name for field in dataclasses.fields(classes[-1]) if field.init}
    if unknown := set(values) - expected:
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))!r:.200}")
    try:
        return classes[-1](**values)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{name}: {error}") from error
