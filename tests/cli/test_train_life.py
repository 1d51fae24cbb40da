"""How a run handles an existing folder, non-finite values and a full disk."""

import resource
import subprocess

import pytest
from absl.flags import Error

from keras_video import data
from keras_video.training.divergence import DivergedError
from keras_video.training.lock import FolderInUseError, FolderLock
from keras_video.training.resume import read_state
from tests.cli.running import call, command_line, environment

ROW = "--row=tsn_r18_1x1x4_moving_shapes"
SMALL = ("--size=32", "--batch_size=4", "--views=1x1")


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "videos"
    shapes = data.make_moving_shapes(folder, videos_per_class=2, val_videos_per_class=1, frames=9)
    root = shapes.train_list.parent
    return [
        f"--train_list={shapes.train_list}",
        f"--val_list={shapes.val_list}",
        f"--data_root={root}",
    ]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mark", [True, False])
@pytest.mark.parametrize(
    "broken",
    [["--train_list=missing.txt"], ["--row=no_such_row"], ["--views=3"], ["--weights=missing.pth"]],
)
def test_a_failed_command_removes_nothing(lists, tmp_path, mark, broken):
    if mark:
        (tmp_path / "settings.json").write_text('{"row": "tsn"}')
        (tmp_path / "model.keras").write_text("trained for weeks")
    else:
        (tmp_path / "holiday.jpg").write_text("a picture")
    before = contents(tmp_path)
    with pytest.raises((ValueError, OSError, KeyError, Error)):
        call("train", ROW, *lists, *SMALL, "--noresume", f"--work_dir={tmp_path}", *broken)
    after = contents(tmp_path)
    assert {path: after[path] for path in before} == before


def test_noresume_leaves_a_folder_that_is_not_a_run(lists, tmp_path):
    (tmp_path / "holiday.jpg").write_text("a picture")
    with pytest.raises(ValueError, match=f"resume=False .*{tmp_path}.*holiday.jpg"):
        call("train", ROW, *lists, *SMALL, "--noresume", f"--work_dir={tmp_path}")
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_second_run_in_a_folder_is_rejected(lists, tmp_path):
    lock = FolderLock(tmp_path)
    with pytest.raises(FolderInUseError, match=f"{tmp_path} is in use by process"):
        call("train", ROW, *lists, *SMALL, f"--work_dir={tmp_path}")
    lock.release()


@pytest.mark.slow
def test_a_training_that_diverges_leaves_no_metrics(lists, tmp_path):
    flags = [*lists, *SMALL, "--epochs=2", f"--work_dir={tmp_path}"]
    with pytest.raises(DivergedError, match=r"epoch 1, step \d"):
        call("train", ROW, *flags, "--learning_rate=1e30")
    names = {path.name for path in tmp_path.iterdir()}
    assert not names & {"metrics.json", "model.keras", "best.keras"}


@pytest.mark.slow
def test_a_full_disk_ends_a_run_with_one_line_and_it_resumes_later(lists, tmp_path):
    """Limits files to a megabyte, which fails at the same point as a full disk."""
    run = tmp_path / "run"
    flags = [*lists, *SMALL, f"--work_dir={run}", "--novalidate"]
    train(flags, "--epochs=1")
    before = contents(run / "backup")
    failed = train(flags, "--epochs=2", limit=2**20, status=1)
    lines = [line for line in failed.stderr.splitlines() if "could not be written" in line]
    assert len(lines) == 1 and "Traceback" not in failed.stderr, failed.stderr[-3000:]
    assert contents(run / "backup") == before
    assert read_state(run / "backup").epoch == 1
    assert "Resuming with epoch 2 of 2" in train(flags, "--epochs=2").stdout


def train(flags, *more, limit=None, status=0):
    def limited():
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    result = subprocess.run(
        command_line("train", ROW, *flags, *more),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=limited,
        check=False,
    )
    assert result.returncode == status, (result.returncode, result.stderr[-3000:])
    return result
