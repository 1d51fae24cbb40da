"""`python -m keras_video.zoo.cards [folder]`: writes the model cards, one per family, and an index.

A card says what a family is and when to choose it, lists its published rows, and gives the
commands that build, train and test it. `tests/zoo/test_cards.py` checks the cards against the zoo.
"""

import sys
from pathlib import Path

from keras_video.zoo.catalog import families, rows, rows_named
from keras_video.zoo.columns import (
    architecture,
    millions,
    number,
    operations,
    protocol,
    sampling,
    top1,
)
from keras_video.zoo.family_facts import FAMILIES
from keras_video.zoo.labels import FOLDER as LABELS
from keras_video.zoo.zoo_row import MMACTION2

COLUMNS = (
    "row",
    "network",
    "videos",
    "top-1",
    "top-5",
    "parameters",
    "FLOPs",
    "sampling",
    "test",
    "starts from",
    "weights",
)
# For families with rows from several projects.
SOURCE_COLUMNS = ("published by", "license")
NOTE = (
    "Accuracies are the published ones, in percent, under the test protocol of the row. Sampling "
    "is clip length x frame interval x clips. Parameters include the classifier; FLOPs are "
    "multiply-adds as published; videos are given with the size they are stored in. Links lead to "
    "the files that `weights` fetches."
)

NO_ROWS = "The zoo has no rows for published weights: they do not state how clips are sampled."


def card(family):
    """The text of a family's card."""
    facts = FAMILIES[family]
    published = rows(family)
    best = named(published)
    parts = [
        f"# {facts.title}",
        f"[{facts.paper}](https://arxiv.org/abs/{facts.arxiv}) (arXiv:{facts.arxiv})",
        facts.what,
        f"**When to choose it.** {facts.when}",
        "## Use",
        commands(facts, best),
        "## Rows",
        NOTE if published else NO_ROWS,
        *tables(published),
        *noted(published),
        "## Citation",
        citation(facts),
    ]
    return "\n\n".join(filled(part) for part in parts) + "\n"


def named(published):
    """The row that a card's commands name: the first with weights, settings and a plain name.

    `None` for a family without published rows.
    """
    with_weights = [row for row in published if row.checkpoints]
    # Commands reject names shared by several rows.
    own_names = [row for row in with_weights if len(rows_named(row.name)) == 1]
    return next((row for row in own_names if row.published), next(iter(own_names), None))


def commands(facts, row):
    """How the family is built, trained and tested."""
    if row is None:
        return f"""```python
import keras_video

model = keras_video.load("model.safetensors")
model = keras_video.applications.{facts.constructor}(classes=10)  # new weights
```

```sh
# a small network on an embedded dataset
keras-video train --row {example(facts).name}
```"""
    return f"""```python
import keras_video
from keras_video import zoo

row = zoo.row("{row.name}")
model = row.model(weights=True)
model = keras_video.applications.{facts.constructor}(classes=10)  # new weights
```

```sh
# a small network on an embedded dataset
keras-video train --row {example(facts).name}
# a row on lists of videos
keras-video train --row {row.name} \\
    --train_list train.txt --val_list val.txt --data_root videos
# the published weights under the row's protocol
keras-video evaluate --row {row.name} \\
    --list val.txt --data_root videos
```"""


def example(facts):
    """The row of a family that trains on an embedded dataset."""
    rows_of_examples = rows(kind="example")
    return next(row for row in rows_of_examples if row.constructor == facts.constructor)


def tables(published):
    """A heading and a table for every dataset, in the order of the rows."""
    for dataset in dict.fromkeys(row.dataset for row in published):
        own = [row for row in published if row.dataset == dataset]
        columns, row_cells = COLUMNS, cells
        if any(row.origin != MMACTION2 for row in published):
            columns, row_cells = (*COLUMNS, *SOURCE_COLUMNS), cells_with_source
        lines = [columns, ["---"] * len(columns), *map(row_cells, own)]
        yield f"### {dataset}"
        yield "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(row):
    return (
        f"`{row.name}` ({row.id})",
        architecture(row) if row.constructor else combined(row),
        ", ".join(filter(None, (row.modality, row.resolution))),
        accuracy(row),
        number(row.reported.top5, ".2f"),
        millions(row.parameters),
        operations(row.flops),
        sampling(row),
        protocol(row),
        row.initial_weights.trained_on if row.initial_weights else "-",
        links(row),
    )


def cells_with_source(row):
    return (*cells(row), row.origin, row.license or "-")


def accuracy(row):
    """Top-1, with other published accuracies."""
    reported = row.reported
    more = [
        f"{reported.top1_accurate:.2f} with 2 x 3 views" if reported.top1_accurate else "",
        f"{reported.top1_10view:.2f} with 10 views" if reported.top1_10view else "",
        f"mean class {reported.mean_class_accuracy:.2f}" if reported.mean_class_accuracy else "",
    ]
    more = [each for each in more if each]
    return top1(row) + (f" ({', '.join(more)})" if more else "")


def combined(row):
    """The components of a row without a model."""
    parts = row.fusion.components if row.fusion else row.aggregate_of
    return f"{row.kind} of {', '.join(parts)}" if parts else row.kind.replace("_", " ")


def links(row):
    """The checkpoints of a row."""
    if row.trained_by and not row.checkpoints:
        return f"those of {row.trained_by}"
    files = [f"[{each.label}]({each.url})" for each in row.checkpoints]
    return ", ".join(files) or "-"


def noted(published):
    """Inconsistencies in the published tables."""
    lines = [f"- {row.id}: {note}" for row in published for note in row.notes]
    return ["## Notes", "\n".join(lines)] if lines else []


def citation(facts):
    key = facts.authors.split(" and ")[0].split()[-1].lower() + str(facts.year)
    return f"""```bibtex
@article{{{key}{facts.title.split()[0].lower().replace("(", "").replace(")", "").replace("+", "")},
  title = {{{facts.paper}}},
  author = {{{facts.authors}}},
  journal = {{arXiv preprint arXiv:{facts.arxiv}}},
  year = {{{facts.year}}}
}}
```"""


def filled(text, width=100):
    """Prose broken into lines; tables, lists, headings and code are unchanged."""
    if text.startswith(("#", "|", "`", "-")):
        return text
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def index():
    """The text of the index of all cards."""
    lines = ["| family | what it is | rows | datasets | best on Kinetics-400 |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for family in families():
        facts, published = FAMILIES[family], rows(family)
        datasets = sorted({row.dataset for row in published})
        kinetics = [
            row
            for row in published
            if row.dataset == "kinetics400" and row.constructor and row.reported.top1
        ]
        best = max(kinetics, key=lambda row: row.reported.top1, default=None)
        first = facts.what.partition(". ")[0].removesuffix(".")
        lines.append(
            f"| [{facts.title}]({family}.md) | {first} | {len(published)} | {', '.join(datasets)} "
            f"| {f'{best.reported.top1:.2f}' if best else '-'} |"
        )
    names = len(list(LABELS.glob("*.txt")))
    text = (
        f"{len(rows())} published rows in {len(families())} families; class names of {names} "
        "datasets. A card says what a family is, when to choose it, and lists its rows with their "
        "accuracy, size, sampling and weights."
    )
    footer = "These pages are generated by `python -m keras_video.zoo.cards applications`."
    return "\n\n".join(["# Model cards", filled(text), "\n".join(lines), footer]) + "\n"


def pages():
    """`{file name: text}` of all cards and the index."""
    return {"README.md": index(), **{f"{family}.md": card(family) for family in families()}}


def main(arguments=None):
    arguments = sys.argv[1:] if arguments is None else arguments
    folder = Path(arguments[0] if arguments else "applications")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    print(f"{len(pages())} pages in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
