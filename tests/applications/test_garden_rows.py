"""Rows whose checkpoints are archives of TensorFlow files, fetched and recognized by name."""

import dataclasses
import tarfile

import numpy as np
import pytest

import keras_video
from keras_video import zoo
from keras_video.weights import FetchError, download
from tests import modern_reference
from tests.applications.test_pretrained import put_rows
from tests.weights.files_server import FilesServer

SHAPE = (2, 64, 64, 3)
CASE = modern_reference.load("movinet_a0_base")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint as in the Model Garden's archives: a folder with a file `checkpoint`."""
    checkpoint = tmp_path_factory.mktemp("garden") / "movinet_a0_base"
    checkpoint.mkdir()
    modern_reference.save_tensorflow(checkpoint / "ckpt-1", CASE.weights())
    (checkpoint / "checkpoint").write_text('model_checkpoint_path: "ckpt-1"\n')
    return checkpoint


@pytest.fixture
def server(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)
    monkeypatch.delenv("KERAS_VIDEO_WEIGHTS", raising=False)
    monkeypatch.setattr(download, "RETRY_PAUSES_SECONDS", (0.01,))
    (tmp_path / "served").mkdir()
    with tarfile.open(tmp_path / "served" / "movinet_a0_base.tar.gz", "w:gz") as archive:
        archive.add(folder, folder.name)
    with FilesServer(tmp_path / "served") as running:
        row = zoo.row("movinet/a0_base")
        url = f"{running.url}/{row.checkpoint.file}"
        checkpoint = dataclasses.replace(row.checkpoint, url=url)
        served = dataclasses.replace(row, classes=CASE.classes, checkpoints=(checkpoint,))
        put_rows(monkeypatch, (served,))
        yield running


def kernel(model):
    return np.array(model.get_layer("fc_cls").kernel)


def assert_is_the_row(model):
    assert model.preprocessing["row"] == "movinet/a0_base"
    (expected,) = (
        array for name, array in CASE.weights().items() if "_classifier" in name and array.ndim > 1
    )
    np.testing.assert_array_equal(kernel(model), expected.reshape(kernel(model).shape))


def test_a_row_fetches_its_archive(server):
    assert_is_the_row(keras_video.load("movinet/a0_base", input_shape=SHAPE))
    assert_is_the_row(keras_video.load(f"{server.url}/movinet_a0_base.tar.gz", input_shape=SHAPE))
    assert server.paths == ["/movinet_a0_base.tar.gz"]


def test_an_unpacked_archive_is_recognized_by_its_folder(server, folder):
    assert_is_the_row(keras_video.load(folder, input_shape=SHAPE))
    assert_is_the_row(keras_video.load(folder / "ckpt-1.index", input_shape=SHAPE))


def test_a_truncated_archive_is_reported(server):
    server.faults["/movinet_a0_base.tar.gz"] = ["truncated"] * 9
    with pytest.raises(FetchError, match="received .* of .* bytes"):
        keras_video.load("movinet/a0_base", input_shape=SHAPE)
