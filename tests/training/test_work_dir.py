import errno
import json

import pytest
from absl import logging

from keras_video import zoo
from keras_video.training.lock import FolderInUseError
from keras_video.training.resume import BackupState, checksum_of, write_state
from keras_video.training.settings import RunSettings
from keras_video.training.work_dir import begin_run, check_settings, closing_run, open_work_dir

pytestmark = pytest.mark.unit

RUN = [
    "settings.json",
    "log.csv",
    "best.keras",
    "model.keras",
    "metrics.json",
    "classes.csv",
    "confusion.csv",
    "confusion.png",
    "curve.png",
    "model.onnx",
    "model.tflite",
    "saved_model/saved_model.pb",
    "saved_model/variables/variables.index",
    "lr_find.csv",
    "backup/state.json",
    "backup/epoch_3.weights.h5",
    "backup/.part-1-epoch_4.weights.h5",
    "tensorboard/train/events.out.tfevents.1.host",
    "train.host.user.log.INFO.20260101-000000.1",
    ".part-2-best.keras",
]


def fill(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"row": "tsn"}' if name == "settings.json" else "content")


def files(folder):
    paths = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    return {name for name in paths if not name.startswith((".run.lock", "train."))}


@pytest.fixture(autouse=True)
def log_as_before():
    yield
    logging.use_python_logging(quiet=True)


def take(folder, resume):
    open_work_dir(folder, resume).release()
    begin_run(folder, RunSettings(row="other", resume=resume))


def test_a_run_is_removed_and_other_files_stay(tmp_path):
    foreign = ["notes.txt", "backup/own.h5", "sub/model.keras", "tensorboard/train/own", "a.keras"]
    fill(tmp_path, [*RUN, *foreign])
    take(tmp_path, resume=False)
    assert files(tmp_path) == {*foreign, "settings.json"}
    assert json.loads((tmp_path / "settings.json").read_text())["row"] == "other"
    assert not list(tmp_path.glob("train.*.1"))


def test_nothing_is_removed_before_the_run_begins(tmp_path):
    fill(tmp_path, RUN)
    open_work_dir(tmp_path, resume=False).release()
    assert files(tmp_path) == {name for name in RUN if not name.startswith("train.")}


def test_a_resumed_run_keeps_its_files(tmp_path):
    fill(tmp_path, RUN)
    take(tmp_path, resume=True)
    assert {"log.csv", "best.keras", "backup/state.json"} <= files(tmp_path)


@pytest.mark.parametrize("resume", [True, False])
def test_a_new_or_empty_folder_takes_a_run(tmp_path, resume):
    take(tmp_path / "deep" / "run", resume)
    (tmp_path / "empty").mkdir()
    take(tmp_path / "empty", resume)
    assert files(tmp_path / "deep" / "run") == {"settings.json"}


@pytest.mark.parametrize(
    "names",
    [
        ["photo.jpg"],
        ["sub/photo.jpg"],
        [".hidden"],
        ["model.keras"],
        ["backup/state.json", "log.csv"],
    ],
)
def test_a_folder_of_no_run_is_rejected_and_kept(tmp_path, names):
    fill(tmp_path, names)
    with pytest.raises(ValueError, match=f"resume=False .*{tmp_path}"):
        open_work_dir(tmp_path, resume=False)
    assert files(tmp_path) == set(names)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"verbose": 1}', "\xff"])
def test_settings_of_another_program_do_not_mark_a_run(tmp_path, text):
    (tmp_path / "settings.json").write_text(text, encoding="latin-1")
    for resume in (True, False):
        with pytest.raises(ValueError, match=f"{tmp_path}[ .].*settings.json"):
            open_work_dir(tmp_path, resume)
    assert files(tmp_path) == {"settings.json"}


def test_a_run_overwrites_no_file_of_others(tmp_path):
    fill(tmp_path, ["model.keras", "list.txt"])
    with pytest.raises(ValueError, match="contains model.keras, which a run would overwrite"):
        open_work_dir(tmp_path, resume=True)
    (tmp_path / "model.keras").unlink()
    take(tmp_path, resume=True)
    assert files(tmp_path) == {"list.txt", "settings.json"}


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(ValueError, match="is not a folder"):
        open_work_dir(tmp_path / "run")


def test_link_targets_are_kept(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    fill(elsewhere, ["model.keras", "own.txt"])
    run = tmp_path / "run"
    fill(run, ["settings.json"])
    (run / "model.keras").symlink_to(elsewhere / "model.keras")
    (run / "best.keras").symlink_to(elsewhere / "gone")
    (run / "tensorboard").symlink_to(elsewhere)
    take(run, resume=False)
    assert files(elsewhere) == {"model.keras", "own.txt"}
    assert (run / "tensorboard").is_symlink() and not (run / "best.keras").is_symlink()


def trained(folder, epoch=2, **settings):
    """The folder of a run with this number of completed epochs."""
    RunSettings(**{"row": "x_tsn", "epochs": 6, **settings}).save(folder / "settings.json")
    (folder / "backup").mkdir(exist_ok=True)
    weights = folder / "backup" / f"epoch_{epoch}.weights.h5"
    weights.write_bytes(b"weights")
    state = BackupState(epoch, weights.name, checksum_of(b"weights")) if epoch else BackupState()
    write_state(folder / "backup", state)


@pytest.mark.parametrize(
    ("settings", "difference"),
    [
        ({"learning_rate": 0.5}, "learning_rate None -> 0.5"),
        ({"size": 64, "seed": 3}, "size None -> 64, seed 0 -> 3"),
        ({"views": (1, 3)}, "views None -> 1,3"),
        ({"mixed_precision": True}, "mixed_precision False -> True"),
        ({"epochs": 4}, "epochs 6 -> 4"),
        ({"row": "tsn_r18_1x1x4_moving_shapes_x"}, "row x_tsn -> tsn_r18_1x1x4_moving_shapes_x"),
        ({"data": "clips"}, "data None -> clips"),
        ({"weights": "imagenet"}, "weights None -> imagenet"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings(tmp_path, settings, difference):
    trained(tmp_path)
    before = files(tmp_path)
    with pytest.raises(ValueError) as caught:
        check_settings(tmp_path, RunSettings(**{"row": "x_tsn", "epochs": 6, **settings}), 100)
    assert f"{difference}: use --noresume or another --work_dir" in str(caught.value)
    assert str(tmp_path) in str(caught.value) and files(tmp_path) == before
    again = RunSettings(**{"row": "x_tsn", "epochs": 6, **settings, "resume": False})
    check_settings(tmp_path, again, 100)


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 8},
        {"on_error": "skip"},  # as the error of a previous run suggests
        {"early_stopping": 3},
        {"export": ("litert",)},
        {"eval_batch_size": 1},
        {"validate": False},
        {"work_dir": "spelled/otherwise"},
    ],
)
def test_settings_that_may_change_on_resume(tmp_path, settings):
    trained(tmp_path)
    check_settings(tmp_path, RunSettings(**{"row": "x_tsn", "epochs": 6, **settings}), 100)


def test_nothing_is_compared_before_the_first_epoch(tmp_path):
    trained(tmp_path, epoch=0)
    check_settings(tmp_path, RunSettings(row="x_tsn", epochs=6, learning_rate=0.5), 100)
    check_settings(tmp_path / "new", RunSettings(row="x_tsn"), 100)


def test_names_ids_and_paths_are_compared_by_what_they_refer_to(tmp_path, monkeypatch):
    row = zoo.row("tsn_r18_1x1x4_moving_shapes")
    monkeypatch.chdir(tmp_path)
    trained(tmp_path, row=row.name, data="clips")
    check_settings(tmp_path, RunSettings(row=row.id, epochs=6, data=f"{tmp_path}/clips"), 100)
    # The length that the row states is the default.
    trained(tmp_path, epochs=None)
    check_settings(tmp_path, RunSettings(row="x_tsn", epochs=100), 100)
    with pytest.raises(ValueError, match="epochs None -> 99"):
        check_settings(tmp_path, RunSettings(row="x_tsn", epochs=99), 100)


def test_a_second_run_in_the_folder_is_rejected(tmp_path):
    lock = open_work_dir(tmp_path)
    with pytest.raises(FolderInUseError, match="in use by process"):
        open_work_dir(tmp_path, resume=False)
    lock.release()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_line(tmp_path, number):
    lock = open_work_dir(tmp_path)
    message = f"The run in {tmp_path} stops.*best.keras"
    with pytest.raises(OSError, match=message) as caught, closing_run(tmp_path, lock):
        raise OSError(number, "no room", "best.keras")
    assert "\n" not in str(caught.value)
    open_work_dir(tmp_path).release()


def test_other_errors_propagate_and_release_the_folder(tmp_path):
    lock = open_work_dir(tmp_path)
    with pytest.raises(PermissionError), closing_run(tmp_path, lock):
        raise PermissionError(errno.EACCES, "no")
    open_work_dir(tmp_path).release()
