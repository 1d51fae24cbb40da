"""Scores and features of long lists: equal to those of single videos, and complete."""

import json

import numpy as np
import pytest

from keras_video import data, inference
from keras_video.data.rows.presets import processing_of
from keras_video.inference import predict_video, shard_workers
from keras_video.inference.shards import feature_shards, predict_shards
from keras_video.inference.video import views_of
from keras_video.sharded import read_manifest
from tests.probes.test_extraction import small_model

FORMATS = ["npz", "parquet"]


@pytest.fixture(scope="module")
def model():
    model = small_model()
    model.class_names = ["left", "right"]
    return model


@pytest.fixture(scope="module")
def records(tiny_videos):
    return data.read_annotations(tiny_videos / "list.txt", tiny_videos)


def needs(file_format):
    if file_format == "parquet":
        pytest.importorskip("pyarrow")


@pytest.mark.parametrize("file_format", FORMATS)
def test_scores_are_those_of_predict_video(file_format, model, records, tmp_path):
    needs(file_format)
    options = {"shard_size": 3, "file_format": file_format, "optimize": "off", "verbose": 0}
    summary = predict_shards(model, records, tmp_path, **options)
    assert (summary.created, summary.count, summary.failed) == (3, 8, ())
    rows = inference.read_shards(tmp_path)
    assert rows["path"] == [record.path for record in records]
    assert rows["labels"] == [record.labels for record in records]
    assert rows["class_names"] == ["left", "right"]
    expected = np.stack([predict_video(model, record.path, optimize="off") for record in records])
    assert rows["scores"].dtype == np.float32
    np.testing.assert_array_equal(rows["scores"], expected)
    again = predict_shards(model, records, tmp_path, **options)
    assert (again.created, again.reused, again.finished) == (0, 3, summary.finished)


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize(("kind", "shape"), [("all", (10, 6)), ("mean", (6,)), ("one", (1, 6))])
def test_features_are_those_of_feature_model(kind, shape, file_format, model, records, tmp_path):
    needs(file_format)
    options = {"view_features": kind, "file_format": file_format, "verbose": 0, "optimize": "off"}
    feature_shards(model, [record.path for record in records[:3]], tmp_path, **options)
    rows = inference.read_shards(tmp_path)
    assert rows["labels"] == [(), (), ()] and "class_names" not in rows
    assert rows["features"].shape == (3, *shape)
    if kind == "all":
        clips = views_of(records[1].path, processing_of(model.protocol))
        expected = inference.feature_model(model)(clips, model.protocol.max_views)
        np.testing.assert_allclose(rows["features"][1], expected, rtol=1e-5, atol=1e-6)


def test_columns_as_read_by_other_programs(model, records, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    for file_format in FORMATS:
        folder = tmp_path / file_format
        predict_shards(model, records, folder, file_format=file_format, verbose=0)
    with np.load(tmp_path / "npz" / "shard-00000-of-00001.npz") as file:
        assert file["labels"].tolist() == [[record.labels[0]] for record in records]
        assert file["labels"].dtype == np.int32 and file["scores"].shape == (8, 2)
    table = parquet.read_table(tmp_path / "parquet" / "shard-00000-of-00001.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    assert types["path"] == "string" and types["shape"] == "list<element: int32>"
    assert types["labels"] == "list<element: int32>"
    assert types["scores"] == "list<element: float>"


def test_multiple_labels_and_no_labels(model, records, tmp_path):
    several = [
        data.Record(records[0].path, (0, 1)),
        data.Record(records[1].path, ()),
        data.Record(records[2].path, (1,)),
    ]
    predict_shards(model, several, tmp_path, verbose=0)
    assert inference.read_shards(tmp_path)["labels"] == [(0, 1), (), (1,)]


def test_unreadable_videos_are_named_and_the_others_scored(model, records, tiny_videos, tmp_path):
    bad, gone = str(tiny_videos / "bad.mp4"), str(tmp_path / "gone\n.mp4")
    paths = [records[0].path, bad, records[1].path, gone, bad]
    options = {"shard_size": 3, "verbose": 0}
    for created in (2, 0):
        summary = predict_shards(model, paths, tmp_path / "a", **options)
        assert (summary.created, summary.count) == (created, 2)
        assert [path for path, _ in summary.failed] == [bad, gone.replace("\n", "\\n"), bad]
        assert all("cannot decode" in reason and path in reason for path, reason in summary.failed)
    assert inference.read_shards(tmp_path / "a")["path"] == [records[0].path, records[1].path]
    assert read_manifest(tmp_path / "a")["finished"]["shard-00001-of-00002.npz"]["count"] == 0
    with pytest.raises(ValueError, match="cannot decode .*bad.mp4"):
        feature_shards(model, paths, tmp_path / "b", **options)


def test_remote_videos_are_fetched(model, records, tiny_videos, tmp_path, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setattr(shard_workers.fetched_in_parts, "__defaults__", (2,))
    memory = fsspec.filesystem("memory")
    for number, record in enumerate(records[:3]):
        memory.put_file(record.path, f"/videos/{number}.mp4")
    memory.put_file(str(tiny_videos / "bad.mp4"), "/videos/bad.mp4")
    names = ["0.mp4", "none.mp4", "1.mp4", "bad.mp4", "2.mp4"]
    paths = [f"memory://videos/{name}" for name in names]
    summary = predict_shards(model, [*paths, f"file://{records[3].path}"], tmp_path, verbose=0)
    assert [path for path, _ in summary.failed] == [paths[1], paths[3]]
    reasons = [reason for _, reason in summary.failed]
    assert reasons[0].startswith(f"cannot read {paths[1]}: FileNotFoundError")
    assert reasons[1].startswith(f"cannot decode {paths[3]}: ")
    rows = inference.read_shards(tmp_path)
    expected = np.stack([predict_video(model, record.path) for record in records[:4]])
    np.testing.assert_allclose(rows["scores"], expected, rtol=1e-5)
    with pytest.raises(ValueError, match="cannot read memory://videos/none.mp4"):
        feature_shards(model, paths, tmp_path / "b", verbose=0)


def test_shards_may_be_remote(model, records, tmp_path):
    pytest.importorskip("fsspec")
    folder = "memory://scores/of/all"
    assert predict_shards(model, records, folder, shard_size=3, verbose=0).created == 3
    assert predict_shards(model, records, folder, shard_size=3, verbose=0).reused == 3
    assert inference.read_shards(folder)["scores"].shape == (8, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shard_size": 4}, "of shard_size=3, now shard_size=4"),
        ({"model": small_model(seed=1)}, "of network="),
        ({"videos": 7}, "the items of the list have changed"),
        ({"features": True}, "of column='scores' .*, now column='features'"),
    ],
    ids=["size", "weights", "list", "kind"],
)
def test_a_folder_resumes_only_with_the_same_settings(change, message, model, records, tmp_path):
    predict_shards(model, records, tmp_path, shard_size=3, verbose=0)
    make = feature_shards if change.get("features") else predict_shards
    with pytest.raises(ValueError, match=message):
        make(
            change.get("model", model),
            records[: change.get("videos", 8)],
            tmp_path,
            shard_size=change.get("shard_size", 3),
            verbose=0,
        )


def test_invalid_settings_and_missing_shards(model, records, tmp_path):
    for wrong in ({"file_format": "csv"}, {"on_error": "no"}, {"optimize": "x"}):
        name, value = next(iter(wrong.items()))
        with pytest.raises(ValueError, match=f"{name}={value!r}"):
            predict_shards(model, records, tmp_path, verbose=0, **wrong)
    with pytest.raises(ValueError, match="view_features='two'"):
        feature_shards(model, records, tmp_path, view_features="two", verbose=0)
    with pytest.raises(ValueError, match="received no videos"):
        predict_shards(model, [], tmp_path, verbose=0)
    predict_shards(model, records, tmp_path, shard_size=4, verbose=0)
    text = json.loads((tmp_path / "manifest.json").read_text())
    del text["finished"]["shard-00001-of-00002.npz"]
    (tmp_path / "manifest.json").write_text(json.dumps(text))
    with pytest.raises(ValueError, match="1 of 2 shards are missing, the first is shard-00001"):
        inference.read_shards(tmp_path)


def test_non_finite_scores(records, tmp_path):
    model = small_model()
    kernel = model.layers[-2].weights[0]
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(ValueError, match="video0.mp4: received scores of which 2 of 2 are not"):
        predict_shards(model, records, tmp_path, verbose=0)


def test_a_model_is_sent_between_processes_as_bytes(model, records, tmp_path):
    reader = shard_workers.VideoReader(model.protocol)
    worker = shard_workers.ScoreWorker(shard_workers.packed_model(model), reader, "off")
    items = [shard_workers.ListedVideo(record.path) for record in records[:2]]
    assert worker.class_names == ["left", "right"]
    assert sum(1 for _ in worker(items, tmp_path / "a.npz")) == 2
    with np.load(tmp_path / "a.npz") as file:
        expected = predict_video(model, records[1].path, optimize="off")
        np.testing.assert_array_equal(file["scores"][1], expected)
