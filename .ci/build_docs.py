"""Renders the docstrings of the package to pages.

    pip install -e ".[docs]"
    python .ci/build_docs.py docs

then open `docs/index.html`. Fails on a public name without a docstring.
"""

import importlib
import inspect
import sys
from pathlib import Path

import pdoc

ROOMS = ("applications", "data", "inference", "layers", "training", "weights", "zoo")


def main():
    if len(sys.argv) != 2:
        sys.exit(f"received {sys.argv[1:]}, expected the folder to write to")
    names = ["keras_video", *(f"keras_video.{room}" for room in ROOMS)]
    modules = [importlib.import_module(name) for name in names]
    for module in modules:
        load_lazy_names(module)
    without = undocumented(modules)
    if without:
        sys.exit("expected a docstring for " + ", ".join(without))
    pdoc.render.configure(docformat="google")
    folder = Path(sys.argv[1])
    pdoc.pdoc("keras_video", output_directory=folder)
    print(f"{len(list(folder.rglob('*.html')))} pages are in {folder}")


def load_lazy_names(module):
    """Makes what a module loads when first used a part of it, so that it is found."""
    for name in getattr(module, "__all__", ()):
        setattr(module, name, getattr(module, name))


def undocumented(modules):
    """Public functions and classes without a docstring of their own."""
    return [
        f"{module.__name__}.{name}"
        for module in modules
        for name in module.__all__
        if (inspect.isclass(found := getattr(module, name)) or inspect.isfunction(found))
        and not found.__doc__
    ]


if __name__ == "__main__":
    main()
