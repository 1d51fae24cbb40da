"""Builds the documentation site: documents, guides, model cards and the API reference.

    pip install -e ".[docs]"
    python .ci/build_site.py site

then `python -m http.server -d site`. Fails on a public name without a docstring, on a docstring
that cannot be parsed, and on a broken link.
"""

import functools
import importlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import yaml

from guides import ROOT, guides, page

PACKAGES = ("applications", "data", "training", "inference", "probes", "sharded", "zoo", "layers")
PACKAGES += ("weights",)
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE")
FOLDERS = ("applications", "benchmarks", "recipes", "guides")


def main():
    if len(sys.argv) != 2:
        sys.exit(f"received {sys.argv[1:]}, expected the folder to write to")
    modules = [importlib.import_module("keras_video")]
    modules += [importlib.import_module(f"keras_video.{name}") for name in PACKAGES]
    missing = undocumented(modules)
    if missing:
        sys.exit("expected a docstring for " + ", ".join(missing))
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "pages"
        copy_documents(pages)
        write_api(pages / "api", modules)
        config = Path(folder) / "mkdocs.yml"
        config.write_text(yaml.safe_dump(site_config(pages, modules)), encoding="utf-8")
        target = Path(sys.argv[1]).absolute()
        # `--quiet` would hide warnings from --strict, which counts them.
        command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
        environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
        status = subprocess.run(
            [*command, "-f", str(config), "-d", str(target)], env=environment
        ).returncode
    if status:
        sys.exit(status)
    print(f"{len(list(target.rglob('*.html')))} pages are in {target}")


def copy_documents(pages):
    """Copies the documents unchanged, and the guides as pages."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, pages / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / ".ci" / "site.css", pages / "site.css")
    for name in DOCUMENTS:
        shutil.copy(ROOT / name, pages / name)
    index = pages / "guides" / "README.md"
    text = index.read_text(encoding="utf-8")
    for path in guides():
        (pages / "guides" / f"{path.stem}.md").write_text(page(path), encoding="utf-8")
        text = text.replace(f"({path.name})", f"({path.stem}.md)")
    index.write_text(text, encoding="utf-8")


def write_api(folder, modules):
    """Writes one API page per package, with every public name."""
    folder.mkdir()
    for module in modules:
        names = sorted(module.__all__, key=str.lower)
        short = module.__name__.partition(".")[2] or module.__name__
        lines = [f"# {module.__name__}", "", inspect.getdoc(module) or "", ""]
        for name in names:
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)):
                continue
            # The path that users import, not that of the defining module.
            heading = name if module.__name__ == short else f"{short}.{name}"
            lines += [f"[](){{#{module.__name__}.{name}}}", ""]
            lines += [f"::: {value.__module__}.{value.__qualname__}", "    options:"]
            lines += [f"      heading: {heading}", f"      toc_label: {name}"]
            lines += [f"      members: {json.dumps(described_members(value))}", ""]
        (folder / f"{short}.md").write_text("\n".join(lines), encoding="utf-8")


def described_members(value):
    """Public methods and properties that a class defines with their own docstring."""
    if not inspect.isclass(value):
        return []
    kinds = (types.FunctionType, property, functools.cached_property, classmethod, staticmethod)
    members = {
        name: member
        for name, member in vars(value).items()
        if not name.startswith("_") and isinstance(member, kinds) and member.__doc__
    }
    # Sources use functions of other modules as static methods.
    return [
        name
        for name, member in members.items()
        if getattr(member, "__module__", value.__module__) == value.__module__
    ]


def site_config(pages, modules):
    """The content of `mkdocs.yml`, with the folders and the navigation filled in."""
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    cards = sorted(path.name for path in (pages / "applications").glob("*.md"))
    api = [module.__name__.partition(".")[2] or module.__name__ for module in modules]
    config["docs_dir"] = str(pages)
    plugins = config["plugins"]
    docstrings = next(plugin["mkdocstrings"] for plugin in plugins if "mkdocstrings" in plugin)
    options = docstrings["handlers"]["python"]["options"]
    options["extensions"] = [str(ROOT / ".ci" / "name_lists.py")]
    config["nav"] = [
        {"Home": "README.md"},
        {"Guides": ["guides/README.md", *guide_pages(pages)]},
        {"Models": ["applications/README.md", *cards_in(cards)]},
        {"API": [f"api/{name}.md" for name in api]},
        {
            "Project": [
                "ARCHITECTURE.md",
                "CONTRIBUTING.md",
                "CHANGELOG.md",
                {"Benchmarks": "benchmarks/README.md"},
            ]
        },
    ]
    return config


def guide_pages(pages):
    """The pages of the guides: first those of scripts, in order, then the Markdown-only ones."""
    scripts = [path.stem for path in guides()]
    others = {path.stem for path in (pages / "guides").glob("*.md")} - {*scripts, "README"}
    return [f"guides/{name}.md" for name in (*scripts, *sorted(others))]


def cards_in(names):
    """The model cards of the families, then the general pages."""
    others = ("export.md", "serving.md")
    ordered = [name for name in names if name not in ("README.md", *others)]
    return [f"applications/{name}" for name in (*ordered, *others)]


def undocumented(modules):
    """Public functions and classes without their own docstring."""
    return [
        f"{module.__name__}.{name}"
        for module in modules
        for name in module.__all__
        if (inspect.isclass(value := getattr(module, name)) or inspect.isfunction(value))
        and not value.__doc__
    ]


if __name__ == "__main__":
    main()
