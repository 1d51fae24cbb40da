"""Renders the guides, scripts whose comments are the text, as pages and as a notebook.

    python .ci/guides.py

writes `guides/quick_start.ipynb`; `build_site.py` uses this module for the pages.
"""

import ast
import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
GUIDES = ROOT / "guides"
NOTEBOOKS = ("quick_start",)
_TEXT, _CODE = "# %% [markdown]", "# %%"


def guides():
    """The scripts, in the order in which `guides/README.md` lists them."""
    text = (GUIDES / "README.md").read_text(encoding="utf-8")
    return sorted(GUIDES.glob("*.py"), key=lambda path: text.find(f"({path.name})"))


def cells(path):
    """The cells `[(kind, text), ...]` of a guide, kind "markdown" or "code", the docstring first.

    Raises:
        ValueError: naming file and line, for a guide without a docstring, text before the first
            cell, or a line of a text cell that is not a comment.
    """
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    docstring = ast.get_docstring(tree)
    if not docstring:
        raise ValueError(f"{path}: expected a docstring with the title and introduction")
    title, _, rest = docstring.partition("\n")
    blocks = [["markdown", [f"# {title.rstrip('.')}", *rest.split("\n")]]]
    begin = tree.body[0].end_lineno
    for number, line in enumerate(source.split("\n")[begin:], begin + 1):
        if line.rstrip() in (_TEXT, _CODE):
            blocks.append(["markdown" if line.rstrip() == _TEXT else "code", []])
        elif len(blocks) == 1:
            if line.strip():
                raise ValueError(f"{path}:{number}: expected a cell, {_TEXT!r} or {_CODE!r}")
        elif blocks[-1][0] == "code":
            blocks[-1][1].append(line)
        elif line.startswith("#"):
            blocks[-1][1].append(line[1:].removeprefix(" "))
        elif line.strip():
            raise ValueError(
                f"{path}:{number}: received {line!r} in a text cell, expected a comment"
            )
    return [(kind, "\n".join(lines).strip("\n")) for kind, lines in blocks]


def page(path):
    """Renders a guide as Markdown."""
    parts = [
        text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in cells(path)
    ]
    source = f"This page is generated from a runnable script: [{path.name}]({path.name})."
    if path.stem in NOTEBOOKS:
        source += f" It is also available as a notebook: [{path.stem}.ipynb]({path.stem}.ipynb)."
    return "\n\n".join([*parts, source]) + "\n"


def notebook(path):
    """Renders a guide as a Jupyter notebook (format 4.5), without outputs."""
    notebook_cells = []
    for number, (kind, text) in enumerate(cells(path)):
        lines = text.splitlines(keepends=True)
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": lines}
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        notebook_cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": notebook_cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def main():
    for name in NOTEBOOKS:
        path = GUIDES / f"{name}.ipynb"
        path.write_text(notebook(GUIDES / f"{name}.py"), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
