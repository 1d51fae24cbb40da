"""Recognition of a checkpoint's dialect by its names."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_video.weights.dialects.dialect import Dialect
from keras_video.weights.name_mapping import WeightsError

# Files may hold a few additional tensors; below this score they belong to something else.
LEAST_SCORE = 0.5
SHOWN = 5


def recognize(state: Mapping[str, np.ndarray], dialects: Sequence[Dialect]) -> Dialect:
    """The dialect that matches most of the names of `state`.

    Ties are resolved in favor of a dialect whose mark is present; among dialects that translate
    the names identically, the first is chosen.

    Raises:
        WeightsError: if no dialect matches half of the names, or several that translate them
            differently match equally many.
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
    # A matching mark is more specific than no mark.
    first, *others = [dialect for dialect in tied if dialect.mark is not None] or tied
    if others:
        translated = first.translate(state)
        differing = [
            dialect.name for dialect in others if not same(translated, dialect.translate(state))
        ]
        if differing:
            raise WeightsError(
                f"The names of the checkpoint fit the dialects {first.name} and "
                f"{', '.join(differing)} equally; name the right one, as in "
                f"dialect={first.name!r}."
            )
    return first


def named(name: str, dialects: Sequence[Dialect]) -> Dialect:
    """The dialect with this name.

    Raises:
        ValueError: if there is none.
    """
    for dialect in dialects:
        if dialect.name == name:
            return dialect
    known = ", ".join(dialect.name for dialect in dialects)
    raise ValueError(f"dialect={name!r}: expected one of {known}.")


def same(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> bool:
    """Whether two translations hold the same tensors under the same names."""
    return first.keys() == second.keys() and all(
        array is second[name] or np.array_equal(array, second[name])
        for name, array in first.items()
    )
