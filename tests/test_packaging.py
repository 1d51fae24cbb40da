"""The package metadata is right, and every file of the package is installed."""

import fnmatch
import importlib
import re
import tomllib
from pathlib import Path

import pytest

import keras_video

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_video"

CORE = {"keras", "tensorflow", "numpy", "h5py", "absl-py", "av", "filelock"}
EXTRAS = {"tfio", "keras-cv", "opencv", "tensorboard", "onnx", "cuda", "test"}


@pytest.fixture(scope="module")
def project():
    """The content of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def metadata(project):
    """The table `[project]`."""
    return project["project"]


def published(extra):
    """The normalized name of an extra, as in the metadata of a wheel."""
    return re.sub(r"[-_.]+", "-", extra).lower()


def distribution(requirement):
    return re.match(r"[\w.-]+", requirement).group().lower()


def test_the_version_matches_the_package(metadata):
    assert metadata["version"] == keras_video.__version__


def test_every_core_dependency_has_a_lower_bound_only(metadata):
    assert {distribution(dependency) for dependency in metadata["dependencies"]} == CORE
    for dependency in metadata["dependencies"]:
        assert re.fullmatch(r"[\w-]+>=[\d.]+", dependency), dependency


def test_the_expected_extras_exist(metadata):
    assert {published(extra) for extra in metadata["optional-dependencies"]} >= EXTRAS


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_extras_as_published(metadata, page):
    # pip before 23.3 only warns about `keras_cv` if the metadata says `keras-cv`.
    known = {published(extra) for extra in metadata["optional-dependencies"]}
    text = (ROOT / page).read_text(encoding="utf-8")
    lists = re.findall(r"(?:`|pip install.*?)[\w.-]*\[([a-z][\w,-]*)\]", text)
    named = {extra for names in lists for extra in names.split(",")}
    assert named, f"{page} names no extra"
    assert named <= known


def test_the_test_extra_includes_the_plots_extra(metadata):
    extras = metadata["optional-dependencies"]
    assert set(extras["plots"]) <= set(extras["test"])


def test_every_folder_with_code_is_a_package(project):
    from setuptools import find_packages

    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    include = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert set(find_packages(ROOT, include=include)) == names


def test_setup_py_only_calls_setup():
    lines = (ROOT / "setup.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 3 and lines[-1].startswith("setup()")


def test_the_console_script_is_callable(metadata):
    module, _, function = metadata["scripts"]["keras-video"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_every_data_file_is_installed(project):
    files = [
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert len(files) > 30
    patterns = [
        str(Path(*package.split(".")[1:], pattern))
        for package, inside in project["tool"]["setuptools"]["package-data"].items()
        for pattern in inside
    ]
    left = [str(f) for f in files if not any(fnmatch.fnmatch(str(f), p) for p in patterns)]
    assert not left, f"package-data of pyproject.toml leaves out {left}"
