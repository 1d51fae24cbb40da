"""Published weights converted into a mirror, and models loaded from it."""

import dataclasses
import hashlib
import json
import subprocess

import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.applications import TSN
from keras_video.applications.converting import convert_row, file_name, is_converted
from keras_video.cli import main as program
from keras_video.weights import FetchError, download
from keras_video.weights.mirror import read_index
from tests.applications.test_pretrained import CLASSES, SHAPE, put_rows, scores, tsn_state
from tests.torch_files import save_checkpoint
from tests.weights.files_server import FilesServer


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)
    monkeypatch.delenv("KERAS_VIDEO_WEIGHTS", raising=False)
    monkeypatch.setattr(download, "RETRY_PAUSES_SECONDS", (0.01,))
    (tmp_path / "published").mkdir()
    with FilesServer(tmp_path / "published") as running:
        yield running


def made_row(server, name, file, **changes):
    """A row of TSN on ResNet-18 whose checkpoint is on the server if the file exists there."""
    path = server.folder / file
    prefix = hashlib.sha256(path.read_bytes()).hexdigest()[:8] if path.is_file() else None
    checkpoint = zoo.Checkpoint(f"{server.url}/{file}", file, prefix)
    template = zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")
    return dataclasses.replace(
        template, id=f"made/{name}", name=name, config=None, label_map=None, classes=CLASSES,
        arguments={"backbone": "resnet18", "segments": 2}, input_shape=SHAPE, initial_weights=None,
        checkpoints=(checkpoint,), **changes,
    )  # fmt: skip


@pytest.fixture
def rows(server, monkeypatch):
    save_checkpoint(server.folder / "one.pth", tsn_state())
    zoo_rows = (
        made_row(server, "one", "one.pth", license="MIT"),
        made_row(server, "absent", "absent.pth"),
        made_row(server, "unpublished", "one.pth", family="tsm"),
    )
    zoo_rows = (*zoo_rows[:2], dataclasses.replace(zoo_rows[2], checkpoints=()))
    put_rows(monkeypatch, zoo_rows)
    return zoo_rows


def convert(*arguments):
    return program.main(["convert", *map(str, arguments)])


def test_rows_are_converted_listed_and_summarized(rows, tmp_path, capsys):
    mirror = tmp_path / "mirror"
    assert convert("--all", f"--to={mirror}") == 1
    printed = capsys.readouterr()
    assert "[1/2] made/one: made_one-" in printed.out
    assert "[2/2] made/absent: failed: Could not fetch" in printed.out
    assert "1 converted, 0 already there, 1 failed" in printed.out
    assert "Not converted:\n  made/absent: Could not fetch" in printed.err
    assert "HTTP status 404" in printed.err
    (identity, entry), = read_index(mirror).items()  # fmt: skip
    file = mirror / entry.file
    assert identity == "made/one" and entry.file == file_name(rows[0])
    assert entry.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (entry.source, entry.license) == (rows[0].checkpoint.url, "MIT")
    assert entry.head == ("fc_cls/bias", "fc_cls/kernel")
    sums = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=mirror, capture_output=True)
    assert sums.returncode == 0
    saved = keras.models.load_model(file)
    assert saved.preprocessing["row"] == "made/one"


def test_an_interrupted_conversion_resumes(rows, server, tmp_path, capsys):
    mirror = tmp_path / "mirror"
    convert("--row=made/one", f"--to={mirror}")
    first = (mirror / file_name(rows[0])).stat().st_mtime_ns
    save_checkpoint(server.folder / "absent.pth", tsn_state())
    assert convert("--family=tsn", f"--to={mirror}") == 0
    assert "[1/2] made/one: already there" in capsys.readouterr().out
    assert read_index(mirror).keys() == {"made/one", "made/absent"}
    assert (mirror / file_name(rows[0])).stat().st_mtime_ns == first
    assert convert("--row=made/one", "--noresume", f"--to={mirror}") == 0
    assert (mirror / file_name(rows[0])).stat().st_mtime_ns != first


def test_damaged_or_outdated_files_are_converted_again(rows, tmp_path):
    mirror = tmp_path / "mirror"
    convert_row(rows[0], mirror)
    assert is_converted(rows[0], read_index(mirror), mirror)
    moved = zoo.Checkpoint("http://elsewhere.invalid/one.pth", "one.pth", None)
    other = dataclasses.replace(rows[0], checkpoints=(moved,))
    assert not is_converted(other, read_index(mirror), mirror)
    with (mirror / file_name(rows[0])).open("ab") as file:
        file.write(b"!")
    assert not is_converted(rows[0], read_index(mirror), mirror)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected exactly one"),
        (["--all", "--family=tsn"], "expected exactly one"),
        (["--row=made/unpublished"], "--row=unpublished: the row has no published weights"),
    ],
)
def test_invalid_selections_are_reported(rows, tmp_path, arguments, message, capsys):
    assert convert(*arguments, f"--to={tmp_path}") == 1
    assert message in capsys.readouterr().err


def build(**arguments):
    return TSN(**{"backbone": "resnet18", "input_shape": SHAPE, "classes": CLASSES, **arguments})


@pytest.mark.slow
@pytest.mark.parametrize("served", [False, True])
def test_weights_come_only_from_the_mirror(rows, server, tmp_path, monkeypatch, served):
    mirror = tmp_path / "mirror"
    convert_row(rows[0], mirror)
    expected = scores(build(weights="one"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "empty"))
    request_count = len(server.paths)
    with FilesServer(mirror) as mirrored:
        monkeypatch.setenv("KERAS_VIDEO_MIRROR", mirrored.url if served else str(mirror))
        model = build(weights="one")
        np.testing.assert_array_equal(scores(model), expected)
        assert model.preprocessing["row"] == "made/one"
        body = build(weights="one", classes=9)
        kernel = keras.ops.convert_to_numpy(body.get_layer("conv1_conv").kernel)
        state = tsn_state()["backbone.conv1.conv.weight"]
        np.testing.assert_array_equal(kernel, state.transpose(2, 3, 1, 0))
        features = build(weights="one", include_top=False, pooling="avg")
        assert features.output_shape == (None, 512)
        with pytest.raises(FetchError, match=r"absent\.pth"):
            build(weights="absent")
    assert len(server.paths) == request_count


def test_a_mirrored_file_that_runs_code_is_rejected(rows, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    entry = convert_row(rows[0], mirror)
    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs)).save(mirror / entry.file)
    digest = hashlib.sha256((mirror / entry.file).read_bytes()).hexdigest()
    index = json.loads((mirror / "index.json").read_text())
    index["rows"]["made/one"]["sha256"] = digest
    (mirror / "index.json").write_text(json.dumps(index))
    monkeypatch.setenv("KERAS_VIDEO_MIRROR", str(mirror))
    with pytest.raises(ValueError, match="Lambda can run code"):
        build(weights="one")


def test_file_names_distinguish_ids():
    row = zoo.row("movinet/a0_base")
    other = dataclasses.replace(row, id="movinet_a0_base")
    assert file_name(row) != file_name(other)
    long = dataclasses.replace(row, id="x/" * 500)
    assert len(file_name(long)) < 140
    assert all(file_name(each).isascii() for each in zoo.rows())
