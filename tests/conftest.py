"""Fixtures shared by the tests."""

import contextlib
import ctypes
import gc
import os
import sys
from pathlib import Path

import pytest

import keras_video  # noqa: F401  (first: it configures TensorFlow)
from tests.videos import moving_gradient, write_video

REPOSITORY = Path(__file__).resolve().parent.parent
# File that lists the tests that have passed: with more packages installed, CI runs only the rest.
PASSED = os.environ.get("KERAS_VIDEO_TESTS_PASSED")


def pytest_collection_modifyitems(config, items):
    """Deselects the tests that have already passed."""
    if not PASSED or not Path(PASSED).exists():
        return
    before = set(Path(PASSED).read_text().splitlines())
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in before])
    items[:] = [item for item in items if item.nodeid not in before]


def pytest_terminal_summary(terminalreporter):
    """Records the passed tests at the end only: all xdist workers must collect the same tests."""
    if PASSED:
        with Path(PASSED).open("a") as file:
            file.writelines(
                f"{report.nodeid}\n" for report in terminalreporter.getreports("passed")
            )


@pytest.fixture(scope="module", autouse=True)
def forgotten_models():
    """Frees the models that a test module has built: together they would exhaust the memory."""
    yield
    import keras  # not at the top: `keras_video` comes first

    families = sys.modules.get("tests.applications.families")
    if families is not None:
        families.shared.cache_clear()
    keras.backend.clear_session()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc holds on to freed memory
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(scope="session")
def tiny_videos(tmp_path_factory):
    """A folder with eight small videos in two classes, `list.txt` and a damaged `bad.mp4`."""
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
    """The folder of real clips, KERAS_VIDEO_TEST_CLIPS; skips the test if it is missing."""
    default = REPOSITORY.parent / "shared" / "data"
    folder = Path(os.environ.get("KERAS_VIDEO_TEST_CLIPS", default))
    if not folder.is_dir():
        pytest.skip("no real clips: set KERAS_VIDEO_TEST_CLIPS to their folder")
    return folder
