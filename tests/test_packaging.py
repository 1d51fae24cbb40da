"""What is installed is what is written, and nothing of the package stays behind."""

import fnmatch
import re
import runpy
from pathlib import Path

import pytest
import setuptools

import keras_video

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_video"

CORE = {"keras", "tensorflow", "numpy", "h5py", "absl-py", "av", "filelock"}
EXTRAS = {"tfio", "keras-cv", "opencv", "tensorboard", "onnx", "cuda", "test"}


@pytest.fixture(scope="module")
def metadata():
    """The keywords that setup.py gives to setuptools."""
    given = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(setuptools, "setup", lambda **keywords: given.update(keywords))
        runpy.run_path("setup.py")
    return given


def published(extra):
    """The name of an extra in the metadata of a wheel."""
    return re.sub(r"[-_.]+", "-", extra).lower()


def distribution(requirement):
    return re.match(r"[\w.-]+", requirement).group().lower()


def test_the_version_is_the_packages(metadata):
    assert metadata["version"] == keras_video.__version__


def test_every_core_dependency_has_a_lower_bound_only(metadata):
    assert {distribution(one) for one in metadata["install_requires"]} == CORE
    for one in metadata["install_requires"]:
        assert re.fullmatch(r"[\w-]+>=[\d.]+", one), one


def test_the_extras_that_were_promised_exist(metadata):
    assert {published(extra) for extra in metadata["extras_require"]} >= EXTRAS


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_extras_are_named_as_they_are_published(metadata, page):
    # pip before 23.3 only warns about `keras_cv` where the metadata says `keras-cv`.
    known = {published(extra) for extra in metadata["extras_require"]}
    text = (ROOT / page).read_text(encoding="utf-8")
    lists = re.findall(r"(?:`|pip install.*?)[\w.-]*\[([a-z][\w,-]*)\]", text)
    named = {extra for one in lists for extra in one.split(",")}
    assert named, f"{page} names no extra"
    assert named <= known


def test_tests_draw_with_the_matplotlib_of_plots(metadata):
    extras = metadata["extras_require"]
    assert set(extras["plots"]) <= set(extras["test"])


def test_every_folder_with_code_is_a_package(metadata):
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    names = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert set(metadata["packages"]) == names


def test_every_data_file_is_installed(metadata):
    files = [
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert len(files) > 30
    patterns = [
        str(Path(*package.split(".")[1:], pattern))
        for package, inside in metadata["package_data"].items()
        for pattern in inside
    ]
    left = [str(f) for f in files if not any(fnmatch.fnmatch(str(f), p) for p in patterns)]
    assert not left, f"package_data of setup.py leaves out {left}"
