"""Which dialect a checkpoint's names are of."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_video.weights.dialects.dialect import Dialect
from keras_video.weights.name_mapping import WeightsError

# Files may hold a few tensors more than their networks; below this they are of something else.
LEAST_SCORE = 0.5
SHOWN = 5


def recognize(state: Mapping[str, np.ndarray], dialects: Sequence[Dialect]) -> Dialect:
    """The dialect that has most of the names of `state`.

    Of several that have equally many, one whose mark is there; of several that translate them
    equally, the first.

    Raises:
        WeightsError: if no dialect has half of the names, or several that translate them
            differently have equally many.
    """
    scores = {dialect.name: dialect.score(state) for dialect in dialects}
    best = max(scores.values())
    if best < LEAST_SCORE:
        shown = ", ".join(repr(name[:80]) for name in list(state)[:SHOWN])
        raise WeightsError(
            f"The names of the checkpoint ({shown}{', ...' if len(state) > SHOWN else ''}) are of "
            f"no known dialect. Known are {', '.join(scores)}; dialect= names one of them."
        )
    tied = [dialect for dialect in dialects if scores[dialect.name] == best]
    # One whose mark was found says more than one that has none.
    first, *others = [dialect for dialect in tied if dialect.mark is not None] or tied
    if others:
        meant = first.translate(state)
        differing = [one.name for one in others if not same(meant, one.translate(state))]
        if differing:
            raise WeightsError(
                f"The names of the checkpoint fit the dialects {first.name} and "
                f"{', '.join(differing)} equally; name the right one, as in "
                f"dialect={first.name!r}."
            )
    return first


def named(name: str, dialects: Sequence[Dialect]) -> Dialect:
    """The dialect of this name.

    Raises:
        ValueError: if there is none.
    """
    for dialect in dialects:
        if dialect.name == name:
            return dialect
    known = ", ".join(dialect.name for dialect in dialects)
    raise ValueError(f"dialect={name!r}: expected one of {known}.")


def same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    """Whether two translations hold the same tensors under the same names."""
    return one.keys() == other.keys() and all(
        array is other[name] or np.array_equal(array, other[name]) for name, array in one.items()
    )
