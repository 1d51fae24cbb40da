"""Finds rows. The data files are read on first use."""

import difflib
import fnmatch
import functools
import json
from pathlib import Path

from keras_video.zoo.columns import number
from keras_video.zoo.parsing import build
from keras_video.zoo.zoo_row import KINDS, TASKS, Row

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
    family: str | None = None,
    dataset: str | None = None,
    kind: str | None = None,
    *,
    task: str | None = None,
    max_gflops: float | None = None,
    max_parameters: float | None = None,
    sort: str | None = None,
) -> tuple[Row, ...]:
    """Rows in the order of the published page, or sorted.

    Args:
        family: such as "tsn"; `None` for all.
        dataset: such as "kinetics400"; `None` for all.
        kind: one of `KINDS`; `None` for all published rows, "unlisted" for the configs that
            no published table names, "example" for settings of the embedded datasets.
        task: one of `TASKS`; `None` for all.
        max_gflops: most multiply-adds of one view, in units of 10^9; rows that do not state them
            are left out.
        max_parameters: most parameters, in millions; likewise.
        sort: one of `SORTS`: accuracies from the best, costs from the least, names in order. Rows
            without the figure come last.

    Raises:
        ValueError: for an unknown family, dataset, kind, task or order, listing the known ones.
    """
    check("family", family, families())
    check("kind", kind, KINDS)
    check("task", task, TASKS)
    check("sort", sort, SORTS)
    pool = all_rows() if family is None else read_family(family)
    if dataset is not None:
        check("dataset", dataset, sorted({row.dataset for row in all_rows()}))
    selected = tuple(
        row
        for row in pool
        if (row.kind == kind if kind else row.kind not in NOT_PUBLISHED)
        and (dataset is None or row.dataset == dataset)
        and (task is None or row.task == task)
        and at_most(row.flops, max_gflops, 1e9)
        and at_most(row.parameters, max_parameters, 1e6)
    )
    return selected if sort is None else tuple(sorted(selected, key=SORTS[sort]))


def search(pattern: str) -> tuple[Row, ...]:
    """Rows whose name, id or config matches a pattern such as "*tsm*r50*", unlisted ones included.

    Args:
        pattern: `*` matches any characters, `?` one, `[ab]` one of these; without wildcards, names
            that contain it. Case is ignored.
    """
    glob = pattern.lower()
    if not set(glob) & set("*?["):
        glob = f"*{glob}*"
    return tuple(
        row
        for row in all_rows()
        if any(
            fnmatch.fnmatchcase(name.lower(), glob)
            for name in (row.id, row.name, row.config)
            if name
        )
    )


def at_most(value, most, unit):
    return most is None or (value is not None and value <= most * unit)


def best_first(value):
    return (value is None, -(value or 0))


def least_first(value):
    return (value is None, value or 0)


# Orders of rows by name.
SORTS = {
    "top1": lambda row: best_first(row.reported.top1),
    "top5": lambda row: best_first(row.reported.top5),
    "gflops": lambda row: least_first(row.flops),
    "parameters": lambda row: least_first(row.parameters),
    "name": lambda row: row.name,
    "id": lambda row: row.id,
}


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
    match = names().get(name)
    if match is None:
        close = difflib.get_close_matches(str(name), names(), n=3, cutoff=0.5)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise ValueError(f"{name!r} is not the name or id of a row.{hint}")
    return match


@functools.cache
def rows_named(name: str) -> tuple[Row, ...]:
    """All rows with a name; a few names are shared."""
    return tuple(row for row in all_rows() if row.name == name)


def only_row(name: str) -> Row:
    """The row of a name or id, as `row`, but no choice among several of one name.

    Raises:
        ValueError: for an unknown name, or one that several rows bear, with their ids and what
            tells them apart.
    """
    match = row(name)
    several = rows_named(name)
    if len(several) < 2 or match.id == name:
        return match
    facts = distinguishing_facts(several)
    listed = ", ".join(f"{each.id} ({'; '.join(facts[each.id])})" for each in several)
    raise ValueError(f"{len(several)} rows are named {name!r}, give the id of one: {listed}.")


def distinguishing_facts(several):
    """`{id: facts that distinguish this row from the others}`, as few as suffice."""
    facts = {each.id: [] for each in several}
    for fact in _FACTS:
        texts = [fact(each) for each in several]
        if len(set(texts)) > 1:
            for each, text in zip(several, texts, strict=True):
                facts[each.id].append(text)
        if len(set(map(tuple, facts.values()))) == len(several):
            break
    return facts


_FACTS = (
    lambda row: f"frames of {row.resolution or 'another size'}",
    lambda row: f"top-1 {number(row.reported.top1, '.2f')}",
    lambda row: f"{row.gpus or 'unknown'} GPUs",
    lambda row: f"{row.epochs or 'unknown'} epochs",
    lambda row: (
        f"starts from {row.initial_weights.trained_on if row.initial_weights else 'nothing'}"
    ),
    lambda row: f"weights {row.checkpoint.file if row.checkpoint else 'none'}",
)
