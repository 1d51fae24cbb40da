"""Finds rows. The data files are read when first asked for."""

import difflib
import functools
import json
from pathlib import Path

from keras_video.zoo.reading import build
from keras_video.zoo.zoo_row import KINDS, Row

FOLDER = Path(__file__).parent / "rows"

NOT_PUBLISHED = ("unlisted", "example")


@functools.cache
def families() -> tuple[str, ...]:
    """Names of the families that have rows."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@functools.cache
def read_family(family: str) -> tuple[Row, ...]:
    path = FOLDER / f"{family}.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    return tuple(
        build(Row, entry, f"{path.name}: {entry.get('id', index)}")
        for index, entry in enumerate(entries)
    )


@functools.cache
def all_rows() -> tuple[Row, ...]:
    """Every row, unlisted configs included, in the order of the published page."""
    every = (row for family in families() for row in read_family(family))
    return tuple(sorted(every, key=lambda row: row.id))


def rows(
    family: str | None = None, dataset: str | None = None, kind: str | None = None
) -> tuple[Row, ...]:
    """Rows in the order of the published page.

    Args:
        family: such as "tsn"; `None` for all.
        dataset: such as "kinetics400"; `None` for all.
        kind: one of `KINDS`; `None` for all published rows, "unlisted" for the configs that
            no published table names, "example" for settings of the embedded datasets.

    Raises:
        ValueError: for a family, dataset or kind that no row has, naming those that exist.
    """
    check("family", family, families())
    check("kind", kind, KINDS)
    pool = all_rows() if family is None else read_family(family)
    if dataset is not None:
        check("dataset", dataset, sorted({row.dataset for row in all_rows()}))
    return tuple(
        row
        for row in pool
        if (row.kind == kind if kind else row.kind not in NOT_PUBLISHED)
        and (dataset is None or row.dataset == dataset)
    )


def check(what, value, known):
    if value is not None and value not in known:
        close = difflib.get_close_matches(str(value), known, n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"{what}={value!r}: no such {what}.{hint} Known: {', '.join(known)}.")


@functools.cache
def names() -> dict[str, Row]:
    """Every id, name and config file name, with the row it stands for.

    A config that several rows share stands for the first of them that bears its name; a row
    that bears another name comes after those.
    """
    by_name = {row.id: row for row in all_rows()}
    ranked = sorted(all_rows(), key=lambda row: row.kind != "model")
    for row in ranked:
        by_name.setdefault(row.name, row)
    for row in ranked:
        by_name.setdefault(row.config, row)
    by_name.pop(None, None)
    return by_name


def row(name: str) -> Row:
    """The row of a config's file name, such as "tsn_r50_1x1x3_100e_kinetics400_rgb", or of an id.

    Raises:
        ValueError: for an unknown name, with names that come close.
    """
    found = names().get(name)
    if found is None:
        close = difflib.get_close_matches(str(name), names(), n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise ValueError(f"{name!r} is not the name or id of a row.{hint}")
    return found
