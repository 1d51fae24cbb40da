"""Rows as a table to read, and as CSV, Markdown or JSON for other programs."""

import csv
import io
import json

from keras_video.zoo.catalog import rows as selected_rows
from keras_video.zoo.catalog import rows_named
from keras_video.zoo.columns import architecture, number, protocol, sampling
from keras_video.zoo.zoo_row import Row

FORMATS = ("table", "csv", "md", "json")
# Title, width and text of the figures after a row's name.
_FIGURES = (
    ("top-1", 5, lambda row: _accuracy(row)[0]),
    ("top-5", 5, lambda row: _accuracy(row)[1]),
    ("GFLOPs", 7, lambda row: number(row.flops and row.flops / 1e9, ".1f")),
    ("M params", 8, lambda row: number(row.parameters and row.parameters / 1e6, ".2f")),
    ("views", 6, lambda row: f"{row.views.clips}x{row.views.crops}" if row.views else "-"),
    ("license", 12, lambda row: row.license or "-"),
)
_WIDTH = 100
_NAME_WIDTH = _WIDTH - sum(2 + width for _, width, _ in _FIGURES)


def table(
    rows: tuple[Row, ...] | None = None,
    *,
    family: str | None = None,
    dataset: str | None = None,
    kind: str | None = None,
    task: str | None = None,
    max_gflops: float | None = None,
    max_parameters: float | None = None,
    sort: str | None = None,
    format: str = "table",
) -> str:
    """Rows as text, to be printed or written to a file.

    Args:
        rows: the rows, such as from `keras_video.zoo.search`; `None` takes those that the other
            arguments choose.
        family, dataset, kind, task, max_gflops, max_parameters, sort: see `keras_video.zoo.rows`.
        format: "table" (100 columns at most, a part for each dataset), "csv", "md" or "json" (with
            more columns).

    Raises:
        ValueError: for an unknown format, both rows and what chooses them, or as
            `keras_video.zoo.rows`.
    """
    if format not in FORMATS:
        raise ValueError(f"format={format!r}: expected one of {', '.join(FORMATS)}.")
    choice = {
        "family": family,
        "dataset": dataset,
        "kind": kind,
        "task": task,
        "max_gflops": max_gflops,
        "max_parameters": max_parameters,
        "sort": sort,
    }
    if rows is None:
        rows = selected_rows(**choice)
    elif any(value is not None for value in choice.values()):
        given = {name: value for name, value in choice.items() if value is not None}
        raise ValueError(f"rows are given, and {given} to choose them: expected one of the two.")
    return _WRITERS[format](rows)


def facts(row):
    """The columns of a row, as JSON values; accuracies in percent."""
    reported = row.reported
    return {
        "id": row.id,
        "name": row.name,
        "family": row.family,
        "architecture": architecture(row),
        "dataset": row.dataset,
        "modality": row.modality,
        "task": row.task,
        "top1": reported.top1,
        "top5": reported.top5,
        "mean_average_precision": reported.mean_average_precision,
        "gflops": None if row.flops is None else row.flops / 1e9,
        "parameters": row.parameters,
        "sampling": sampling(row),
        "views": protocol(row),
        "resolution": row.resolution,
        "license": row.license,
        "origin": row.origin,
        "checkpoint": row.checkpoint.file if row.checkpoint else None,
    }


def _accuracy(row):
    """Top-1 and top-5; of several labels the mean average precision, marked so."""
    reported = row.reported
    if reported.top1 is None and reported.mean_average_precision is not None:
        return f"{reported.mean_average_precision:.2f}", "mAP"
    return number(reported.top1, ".2f"), number(reported.top5, ".2f")


def label(row):
    """The label of a row: its name, with the id if several rows share the name."""
    return row.name if len(rows_named(row.name)) < 2 else f"{row.name} ({row.id})"


def _text(rows):
    lines = []
    for dataset in dict.fromkeys(row.dataset for row in rows):
        own = [row for row in rows if row.dataset == dataset]
        titles = [title for title, _, _ in _FIGURES]
        lines += [*([""] if lines else []), _line(dataset, titles)]
        for row in own:
            lines += _row_lines(label(row), [value(row) for _, _, value in _FIGURES])
    return "\n".join(lines)


def _row_lines(name, figures):
    """The line of a row; a long name gets its own line."""
    if len(name) <= _NAME_WIDTH:
        return [_line(name, figures)]
    return [name, _line("", figures)]


def _line(name, figures):
    *numbers, last = zip(_FIGURES, figures, strict=True)
    cells = "".join(f"  {figure:>{width}}" for (_, width, _), figure in numbers)
    return f"{name:{_NAME_WIDTH}}{cells}  {last[1]}".rstrip()


def _csv(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(facts, rows))
    return text.getvalue().rstrip("\n")


def _markdown(rows):
    columns = _columns()
    lines = [columns, ["---"] * len(columns)]
    for row in rows:
        cells = ("-" if value is None else str(value) for value in facts(row).values())
        lines.append([cell.replace("|", "\\|") for cell in cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _json(rows):
    return json.dumps([facts(row) for row in rows], indent=1)


def _columns():
    return list(facts(selected_rows()[0]))


_WRITERS = {"table": _text, "csv": _csv, "md": _markdown, "json": _json}
