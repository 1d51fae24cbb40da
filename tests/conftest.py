"""Fixtures shared by the tests."""

import contextlib
import ctypes
import gc
import os
import sys
from pathlib import Path

import pytest

import keras_video  # noqa: F401  (first: it chooses how TensorFlow computes)
from tests.videos import moving_gradient, write_video

REPOSITORY = Path(__file__).resolve().parent.parent
# A file of the tests that have passed before: CI runs what is left once more packages are there.
PASSED = os.environ.get("KERAS_VIDEO_TESTS_PASSED")


def pytest_collection_modifyitems(config, items):
    """Leaves out the tests that have passed."""
    if not PASSED or not Path(PASSED).exists():
        return
    before = set(Path(PASSED).read_text().splitlines())
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in before])
    items[:] = [item for item in items if item.nodeid not in before]


def pytest_terminal_summary(terminalreporter):
    """Adds the tests that passed, at the end: xdist's workers have to collect the same."""
    if PASSED:
        with Path(PASSED).open("a") as file:
            file.writelines(f"{one.nodeid}\n" for one in terminalreporter.getreports("passed"))


@pytest.fixture(scope="module", autouse=True)
def forgotten_models():
    """Lets go of the models that a file's tests have built: together they would fill the memory."""
    yield
    import keras  # not above: `keras_video` comes first

    families = sys.modules.get("tests.applications.families")
    if families is not None:
        families.shared.cache_clear()
    keras.backend.clear_session()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc keeps what was freed
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(scope="session")
def tiny_videos(tmp_path_factory):
    """A folder with eight small videos in two classes, `list.txt` and damaged `bad.mp4`."""
    folder = tmp_path_factory.mktemp("tiny_videos")
    lines = []
    for number in range(8):
        label = number % 2
        path = folder / ("left", "right")[label] / f"video{number}.mp4"
        path.parent.mkdir(exist_ok=True)
        write_video(path, moving_gradient(12 + number, seed=number), bf="2", g="6")
        lines.append(f"{path.relative_to(folder)} {label}\n")
    (folder / "list.txt").write_text("".join(lines))
    (folder / "bad.mp4").write_bytes(b"this is not a video" * 50)
    return folder


@pytest.fixture(scope="session")
def real_clips():
    """A folder of real clips, named by KERAS_VIDEO_TEST_CLIPS; skips where there is none."""
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("KERAS_VIDEO_TEST_CLIPS", default))
    if not folder.is_dir():
        pytest.skip("no real clips: name their folder in KERAS_VIDEO_TEST_CLIPS")
    return folder
