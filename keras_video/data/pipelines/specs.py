"""Samplers, sources, transforms and records as JSON values, and back: known classes alone."""

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
# Functions have no values of their own that could be sent: they go by their place in these lists.
_OPERATIONS = tuple(dict.fromkeys((*IMGAUG, *PYTORCHVIDEO, *PYTORCHVIDEO_AUG_MIX)))
_DEEPEST = 20


def encode(value, where):
    """A setting as JSON values.

    Args:
        value: None, numbers, text, tuples, mappings, ranges and dataclasses of those.
        where: what errors call it.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return {"tuple": [encode(one, where) for one in value]}
    if isinstance(value, frozenset):
        return {"frozenset": [encode(one, where) for one in sorted(value)]}
    if isinstance(value, range):
        return {"range": [value.start, value.stop, value.step]}
    if isinstance(value, Mapping):
        return {"dict": [[encode(key, where), encode(one, where)] for key, one in value.items()]}
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
        f"{where}: received {value!r:.200}, expected a dataclass of numbers, text and the like: "
        "workers take no code"
    )


def decode(value, known=KNOWN, depth=0):
    """What `encode` was given.

    Args:
        value: JSON values.
        known: the dataclasses that may be made.

    Raises:
        ValueError: the values are of another form, name another class, or its constructor refuses
            them.
    """
    if depth > _DEEPEST:
        raise ValueError("received settings nested without end")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    match value:
        case {"tuple": list(items), **rest} if not rest:
            return tuple(decode(one, known, depth + 1) for one in items)
        case {"frozenset": list(items), **rest} if not rest:
            return frozenset(decode(one, known, depth + 1) for one in items)
        case {"range": [int(start), int(stop), int(step)], **rest} if not rest and step:
            return range(start, stop, step)
        case {"operation": int(number), **rest} if not rest and 0 <= number < len(_OPERATIONS):
            return _OPERATIONS[number]
        case {"dict": list(pairs), **rest} if not rest:
            return dict(decode({"tuple": pair}, known, depth + 1) for pair in pairs)
        case {"class": str(name), "fields": dict(fields), **rest} if not rest:
            return _build(name, fields, known, depth)
    raise ValueError(f"received {value!r:.200}, expected the values of a setting")


def _build(name, fields, known, depth):
    found = [one for one in known if one.__name__ == name]
    if not found:
        names = ", ".join(one.__name__ for one in known)
        raise ValueError(f"received the class {name!r:.100}, expected one of {names}")
    values = {key: decode(one, known, depth + 1) for key, one in fields.items()}
    expected = {field.name for field in dataclasses.fields(found[-1]) if field.init}
    if unknown := set(values) - expected:
        raise ValueError(f"{name} has no {', '.join(sorted(unknown))!r:.200}")
    try:
        return found[-1](**values)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{name}: {error}") from error
