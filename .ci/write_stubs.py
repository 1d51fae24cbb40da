"""Writes the type stubs of the lazily imported packages, for editors and type checkers.

    python .ci/write_stubs.py

`keras_video/__init__.pyi` and the stubs of `data`, `inference`, `probes` and `training` then list
every public name with its module. `tests/test_editors.py` checks that they match the packages.
"""

import importlib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("data", "inference", "probes", "training")


def stubs():
    """All stubs as `{file: text}`."""
    top = importlib.import_module("keras_video")
    lines = [f"from . import {name} as {name}" for name in top._PACKAGES]
    homes = {name: f"keras_video.{home}" for name, home in top._HOMES.items()}
    lines += import_lines("keras_video", homes)
    lines += ["", "__version__: str"]
    texts = {"keras_video/__init__.pyi": with_names(lines, top)}
    for package in PACKAGES:
        module = importlib.import_module(f"keras_video.{package}")
        homes = {name: home_of(module, name) for name in module.__all__}
        lines = import_lines(module.__name__, homes)
        texts[f"keras_video/{package}/__init__.pyi"] = with_names(lines, module)
    return texts


def home_of(module, name):
    """The module that defines a public name of a package."""
    lazy = getattr(module, "_HOMES", None) or getattr(module, "LAZY", {})
    if name in lazy:
        return f"{module.__name__}.{lazy[name]}"
    return getattr(module, name).__module__


def import_lines(package, homes):
    """The lines that re-export names from their modules, as stubs write them."""
    lines = []
    for home in sorted(set(homes.values())):
        names = sorted(name for name, one in homes.items() if one == home)
        inside = home.removeprefix(f"{package}.")
        lines += [f"from .{inside} import {name} as {name}" for name in names]
    return lines


def with_names(lines, module):
    """The text of a stub: its import lines and `__all__`."""
    names = [f'    "{name}",' for name in sorted(module.__all__)]
    return "\n".join(
        [
            "# Made by .ci/write_stubs.py.",
            "# ruff: noqa: I001",
            *lines,
            "",
            "__all__ = [",
            *names,
            "]",
            "",
        ]
    )


if __name__ == "__main__":
    for file, text in stubs().items():
        (ROOT / file).write_text(text, encoding="utf-8")
        print(file)
