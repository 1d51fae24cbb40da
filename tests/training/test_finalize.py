"""The results of a run when some videos cannot be read."""

import dataclasses
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video import data, zoo
from keras_video.applications.model import VideoModel
from keras_video.training import finalize as module
from keras_video.training.distribution import Worker
from keras_video.training.finalize import finalize, finished_report, show_prediction
from keras_video.training.lists import RunLists, check_class_count, names_of_labels, source_kind
from keras_video.training.resume import BackupState, checksum_of, write_state
from keras_video.training.run import Run
from keras_video.training.run_data import test_dataset as evaluation_dataset
from keras_video.training.saving import save_model
from keras_video.training.settings import RunSettings
from keras_video.training.work_dir import is_finished

NAMES = ("left", "right")


@pytest.fixture
def run(tiny_videos, tmp_path):
    """A run whose evaluation list begins with two files that are not videos."""
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video" * 100)
    text = f"{bad} 0\n{tmp_path}/absent.mp4 1\n" + (tiny_videos / "list.txt").read_text()
    (tmp_path / "val.txt").write_text(text)
    file = tmp_path / "val.txt"
    (tmp_path / "log.csv").write_text("epoch,loss\n1,0.5\n")
    return Run(
        settings=RunSettings(row="x_tsn", on_error="replace"),
        row=zoo.resized(zoo.row("x_tsn"), 32),
        lists=RunLists(file, file, tiny_videos, NAMES),
        work_dir=tmp_path,
        home=tmp_path,
        lock=None,
        worker=Worker(),
        strategy=tf.distribute.get_strategy(),
        batch_size=2,
    )


def small_model():
    inputs = keras.Input((None, 32, 32, 3))
    x = keras.layers.Dense(2, name="fc_cls")(keras.layers.GlobalAveragePooling3D()(inputs))
    return VideoModel(inputs, keras.layers.Activation("softmax", name="predictions")(x))


def predict(model, path):
    data.open_video(path)
    return np.array([0.25, 0.75])


def test_failed_videos_are_not_counted_as_evaluated(run, capsys, monkeypatch):
    monkeypatch.setitem(module.PREDICT, "video", predict)
    report = finalize(run, small_model(), evaluation_dataset(run))
    assert json.loads((run.work_dir / "metrics.json").read_text()) == report
    assert (report["videos"], report["videos_listed"], report["videos_failed"]) == (8, 10, 2)
    shown = capsys.readouterr().out
    assert "on 8 videos" in shown
    assert "left/video0.mp4 (left):\n  0.7500  right\n  0.2500  left\n" in shown


def finished(run, epochs=2, **metrics):
    """Writes the folder of the run as after all epochs."""
    state = BackupState(epochs, f"epoch_{epochs}.weights.h5", checksum_of(b"weights"))
    (run.home / "backup").mkdir(exist_ok=True)
    (run.home / "backup" / state.weights).write_bytes(b"weights")
    write_state(run.home / "backup", state)
    run.settings.save(run.work_dir / "settings.json")
    report = {"top1": 0.5, "videos": 8, "epochs": epochs, "stopped_early": False, **metrics}
    (run.work_dir / "metrics.json").write_text(json.dumps(report))
    save_model(small_model(), run.work_dir / "model.keras")
    return report


def with_settings(run, **settings):
    return dataclasses.replace(run, settings=dataclasses.replace(run.settings, **settings))


def test_a_finished_run_is_reported(run, capsys):
    run = with_settings(run, epochs=2)
    report = finished(run)
    assert is_finished(run) and finished_report(run) == report
    text = capsys.readouterr().out
    assert "finished, 2 of 2 epochs" in text and "top1 0.5000 on 8 videos" in text
    assert not is_finished(with_settings(run, epochs=3))
    assert not is_finished(with_settings(run, resume=False))
    (run.work_dir / "model.keras").unlink()
    assert not is_finished(run)


def test_a_run_stopped_early_is_finished_unless_patience_changes(run, capsys):
    run = with_settings(run, epochs=9, early_stopping=1)
    finished(run, stopped_early=True)
    assert is_finished(run) and finished_report(run)["epochs"] == 2
    assert "finished, 2 of 9 epochs, stopped early" in capsys.readouterr().out
    assert not is_finished(with_settings(run, early_stopping=4))


def test_metrics_of_a_shorter_run_do_not_count_as_finished(run):
    run = with_settings(run, epochs=3)
    finished(run, epochs=3)
    report = json.loads((run.work_dir / "metrics.json").read_text())
    (run.work_dir / "metrics.json").write_text(json.dumps({**report, "epochs": 2}))
    assert not is_finished(run)


def test_missing_exports_of_a_finished_run_are_written(run, capsys, monkeypatch):
    run = with_settings(run, epochs=2, export=("litert",))
    finished(run)
    exported = []
    monkeypatch.setattr(module, "export_model", lambda *arguments: exported.append(arguments[1:]))
    finished_report(run)
    assert exported == [(run.work_dir / "model.tflite", "litert")]
    assert f"Exported {run.work_dir}/model.tflite (litert)" in capsys.readouterr().out


def test_the_example_has_two_classes_for_one_output(tiny_videos, capsys):
    records = data.read_annotations(tiny_videos / "list.txt", tiny_videos)
    show_prediction(None, records, NAMES, lambda model, path: np.array([0.75]))
    assert "  0.7500  right\n  0.2500  left\n" in capsys.readouterr().out


def test_without_a_readable_video_there_is_no_example(capsys):
    show_prediction(None, [data.Record("absent.mp4", (0,))], NAMES, predict)
    assert not capsys.readouterr().out


def test_one_class_is_rejected_unless_it_is_a_tag():
    softmax = zoo.row("tsn_r18_1x1x4_moving_shapes")
    with pytest.raises(ValueError, match="the lists have only the class 'run', expected at least"):
        check_class_count(("run",), softmax)
    check_class_count(("run", "sit"), softmax)
    tags = SimpleNamespace(loss=SimpleNamespace(kind="binary"))
    check_class_count(("run",), tags)


def test_labels_and_kinds_of_folders_whose_name_ends_in_a_number(tmp_path):
    (tmp_path / "take 2").mkdir()
    file = tmp_path / "list.txt"
    file.write_text("take 2 9 1\n")
    row = zoo.row("tsn_r18_1x1x4_moving_shapes")
    assert source_kind("auto", row, file, tmp_path) == "rawframes"
    assert names_of_labels(None, [file], [data.frame_lines], tmp_path) == ("0", "1")
    assert source_kind("auto", row, tmp_path / "a.JSON") == "video"


def test_the_evaluation_of_a_run_replaces_no_videos(run):
    assert sum(len(labels) for _, labels in evaluation_dataset(run)) == 8
