"""`keras-video evaluate` on a few generated videos."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_video
from keras_video import data, zoo
from keras_video.inference.score_files import read_scores
from keras_video.training.divergence import DivergedError
from tests.cli.running import call


@pytest.fixture(autouse=True)
def eagerly():
    """A few videos are faster without compiling a graph for every call."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes") / "videos"
    return data.make_moving_shapes(
        folder, videos_per_class=1, val_videos_per_class=2, frames=8, size=40
    )


@pytest.fixture(scope="module")
def model(shapes):
    """TSN with random weights, tested with three frames and ten crops of 32 pixels."""
    keras.utils.set_random_seed(1)
    row = zoo.with_views(zoo.resized(zoo.row("x_tsn"), 32), 3, 10)
    model = row.model(classes=4, input_shape=(None, 32, 32, 3))
    model.class_names = list(shapes.class_names)
    return model


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model.save(path)
    return path


def evaluate(shapes, work_dir, *flags):
    lists = [f"--list={shapes.val_list}", f"--data_root={shapes.root}", f"--work_dir={work_dir}"]
    call("evaluate", *lists, *flags)
    return read_scores(work_dir / "scores.npz")


def test_scores_are_those_of_single_videos(shapes, model, saved, tmp_path, capsys):
    results = evaluate(shapes, tmp_path / "out", f"--model={saved}", "--batch_size=3")
    records = data.read_annotations(shapes.val_list)
    assert list(results.names) == [record.path for record in records]
    assert results.labels.tolist() == [record.labels[0] for record in records]
    assert results.class_names == shapes.class_names
    expected = [keras_video.predict_video(model, shapes.root / name) for name in results.names]
    np.testing.assert_allclose(results.scores, expected, rtol=1e-4, atol=1e-6)
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    correct = results.scores.argmax(1) == results.labels
    assert metrics["top1"] == pytest.approx(correct.mean())
    assert {"top1", "mean_class_accuracy", "videos"} <= set(metrics)
    assert "mean_class_accuracy: " in capsys.readouterr().out
    with (tmp_path / "out" / "confusion.csv").open() as file:
        table = np.array(list(csv.reader(file)))[1:, 1:].astype(int)
    assert table.sum() == 8 and table.trace() == correct.sum()
    assert (tmp_path / "out" / "confusion.png").stat().st_size > 1000


@pytest.mark.slow
def test_views_at_a_time_change_nothing(shapes, saved, tmp_path):
    whole = evaluate(shapes, tmp_path / "whole", f"--model={saved}")
    parts = evaluate(shapes, tmp_path / "parts", f"--model={saved}", "--max_views=3")
    np.testing.assert_allclose(parts.scores, whole.scores, rtol=1e-4, atol=1e-6)
    fewer = evaluate(shapes, tmp_path / "fewer", f"--model={saved}", "--views=2x1")
    assert np.abs(fewer.scores - whole.scores).max() > 1e-6


@pytest.mark.slow(every_change=True)
def test_a_row_with_a_checkpoint(shapes, model, saved, tmp_path):
    whole = evaluate(shapes, tmp_path / "whole", f"--model={saved}", "--views=4x10")
    weights = tmp_path / "model.weights.h5"
    model.save_weights(weights)
    names = tmp_path / "names.txt"
    names.write_text("\n".join(shapes.class_names))
    flags = ["--row=x_tsn", f"--weights={weights}", f"--class_names={names}", "--size=32"]
    results = evaluate(shapes, tmp_path / "row", *flags)
    np.testing.assert_allclose(results.scores, whole.scores, rtol=1e-4, atol=1e-6)


def test_several_labels(shapes, tmp_path):
    shape = (None, 32, 32, 3)
    model = zoo.row("x_tsn").model(classes=4, classifier_activation="sigmoid", input_shape=shape)
    model.save(tmp_path / "tags.keras")
    lines = shapes.val_list.read_text().splitlines()
    tagged = tmp_path / "tags.txt"
    tagged.write_text("\n".join(f"{line} {(index + 1) % 4}" for index, line in enumerate(lines)))
    flags = [f"--list={tagged}", f"--data_root={shapes.root}", f"--model={tmp_path}/tags.keras"]
    call("evaluate", *flags, f"--work_dir={tmp_path}/out", "--views=2x1", "--size=32")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert {"mean_average_precision", "mmit_mean_average_precision"} <= set(metrics)
    assert "top1" not in metrics


def test_an_unreadable_video_is_left_out_by_name(shapes, saved, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    text = shapes.val_list.read_text().splitlines()
    text.insert(2, f"{broken} 0")
    (tmp_path / "list.txt").write_text("\n".join(text))
    flags = [f"--model={saved}", f"--data_root={shapes.root}", "--views=1x1"]
    flags += [f"--list={tmp_path}/list.txt", f"--work_dir={tmp_path}/out", "--on_error=skip"]
    call("evaluate", *flags)
    results = read_scores(tmp_path / "out" / "scores.npz")
    assert str(broken) not in results.names and len(results.names) == 8


def test_row_or_model():
    with pytest.raises(ValueError, match="give one of the two"):
        call("evaluate", "--row=x_tsn", "--model=some.keras")
    with pytest.raises(ValueError, match="weights=a.pth: only with a row"):
        call("evaluate", "--model=some.keras", "--weights=a.pth")


def test_a_list_of_which_some_videos_cannot_be_read(shapes, saved, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    lines = [
        f"{tmp_path}/a.mp4 0",
        f"{tmp_path}/absent.mp4 1",
        *shapes.val_list.read_text().split("\n"),
    ]
    (tmp_path / "list.TXT").write_text("\n".join(lines))
    flags = [f"--list={tmp_path}/list.TXT", f"--data_root={shapes.root}", f"--model={saved}"]
    call("evaluate", *flags, f"--work_dir={tmp_path}/out", "--views=1x1", "--on_error=skip")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert [metrics[name] for name in ("videos", "videos_listed", "videos_failed")] == [8, 10, 2]


def test_one_sigmoid_output(shapes, tmp_path):
    model = zoo.row("x_tsn").model(
        classes=1, classifier_activation="sigmoid", input_shape=(None, 32, 32, 3)
    )
    model.class_names = ["still", "moving"]
    model.save(tmp_path / "two.keras")
    names = [line.rsplit(" ", 1)[0] for line in shapes.val_list.read_text().splitlines()]
    (tmp_path / "list.txt").write_text("".join(f"{n} {i % 2}\n" for i, n in enumerate(names)))
    flags = [f"--list={tmp_path}/list.txt", f"--model={tmp_path}/two.keras", "--size=32"]
    flags += [f"--data_root={shapes.root}", f"--work_dir={tmp_path}/out", "--views=2x1"]
    call("evaluate", *flags)
    results = read_scores(tmp_path / "out" / "scores.npz")
    labels = np.arange(len(names)) % 2
    assert results.scores.shape == (len(names), 1) and results.labels.tolist() == labels.tolist()
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["top1"] == pytest.approx(((results.scores[:, 0] > 0.5) == labels).mean())
    assert metrics["classes"] == 2 and "top5" not in metrics
    with (tmp_path / "out" / "confusion.csv").open() as file:
        assert next(csv.reader(file))[1:] == ["still", "moving"]


def test_non_finite_scores_end_the_evaluation(shapes, model, tmp_path):
    broken = keras.models.clone_model(model)
    broken.set_weights([weight * np.nan for weight in model.get_weights()])
    broken.save(tmp_path / "broken.keras")
    flags = [f"--list={shapes.val_list}", f"--data_root={shapes.root}", "--views=1x1"]
    with pytest.raises(DivergedError, match="scores of 1 of 1 videos are not finite, first"):
        call("evaluate", *flags, f"--model={tmp_path}/broken.keras", f"--work_dir={tmp_path}/out")
    assert not (tmp_path / "out" / "metrics.json").exists()
