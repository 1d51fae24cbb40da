"""The values of `weights=`: rows, datasets, image weights, files; fetched over loopback."""

import dataclasses
import hashlib
import json
import logging

import keras
import numpy as np
import pytest

import keras_video
from keras_video import zoo
from keras_video.applications import CSN, TSN, SlowOnly
from keras_video.applications.pretrained import matching_rows
from keras_video.weights import FetchError, UnsafeFileError
from tests.fixtures import rule
from tests.torch_files import save_checkpoint
from tests.weights.files_server import FilesServer
from tests.weights.loopback import Server

SHAPE = (2, 32, 32, 3)
CLASSES = 6


def tsn_state(classes=CLASSES):
    """A synthetic checkpoint of TSN on ResNet-18 with MMAction2's names."""
    widths = (64, 128, 256, 512)
    shapes = {"conv1.conv": (64, 3, 7, 7), "conv1.bn": 64}
    for stage, width in enumerate(widths):
        for block in range(2):
            name = f"layer{stage + 1}.{block}"
            before = widths[stage - 1] if stage and not block else width
            shapes[f"{name}.conv1.conv"] = (width, before, 3, 3)
            shapes[f"{name}.conv1.bn"] = width
            shapes[f"{name}.conv2.conv"] = (width, width, 3, 3)
            shapes[f"{name}.conv2.bn"] = width
            if before != width:
                shapes[f"{name}.downsample.conv"] = (width, before, 1, 1)
                shapes[f"{name}.downsample.bn"] = width
    manifest = {}
    for name, shape in shapes.items():
        if isinstance(shape, tuple):
            manifest[f"backbone.{name}.weight"] = shape
        else:
            for leaf in ("weight", "bias", "running_mean", "running_var"):
                manifest[f"backbone.{name}.{leaf}"] = (shape,)
    manifest["cls_head.fc_cls.weight"] = (classes, 512)
    manifest["cls_head.fc_cls.bias"] = (classes,)
    return rule.reference_weights(manifest, seed=3)


def torchvision_names(state):
    """The same body with torchvision's names and a classifier for a thousand classes."""
    renamed = {}
    for name, value in state.items():
        name = name.removeprefix("backbone.").replace("downsample.conv", "downsample.0")
        name = name.replace("downsample.bn", "downsample.1")
        for number in (1, 2):
            name = name.replace(f"conv{number}.conv", f"conv{number}")
            name = name.replace(f"conv{number}.bn", f"bn{number}")
        if not name.startswith("cls_head"):
            renamed[name] = value
    renamed["fc.weight"] = np.zeros((1000, 512), "float32")
    renamed["fc.bias"] = np.zeros(1000, "float32")
    return renamed


def build(**arguments):
    return TSN(**{"backbone": "resnet18", "input_shape": SHAPE, "classes": CLASSES, **arguments})


def scores(model):
    clip = np.random.default_rng(0).normal(size=(1, *SHAPE)).astype("float32")
    return keras.ops.convert_to_numpy(model(clip))


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)
    monkeypatch.delenv("KERAS_VIDEO_WEIGHTS", raising=False)
    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def published(server, tmp_path, monkeypatch):
    """A row of the zoo whose synthetic checkpoint is on the loopback server."""
    save_checkpoint(tmp_path / "made.pth", tsn_state())
    row = serve_row(server, tmp_path / "made.pth")
    put_in_zoo(monkeypatch, row)
    return row


def serve_row(server, path):
    server.content = path.read_bytes()
    prefix = hashlib.sha256(server.content).hexdigest()[:8]
    template = zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")
    checkpoint = zoo.Checkpoint(server.url, server.url.rpartition("/")[2], prefix)
    return dataclasses.replace(
        template,
        name="tsn_r18_made",
        label_map=None,
        classes=CLASSES,
        arguments={**template.arguments, "backbone": "resnet18"},
        checkpoints=(checkpoint,),
        initial_weights=dataclasses.replace(template.initial_weights, url=server.url),
    )


def put_in_zoo(monkeypatch, row):
    put_rows(monkeypatch, (row,))


def put_rows(monkeypatch, rows):
    """Replaces the rows of the zoo with these, by name and id."""
    known = {name: row for row in rows for name in (row.name, row.id)}

    def selected(family=None, dataset=None, kind=None):
        fitting = (row for row in rows if family in (None, row.family))
        return tuple(row for row in fitting if dataset in (None, row.dataset))

    monkeypatch.setattr(zoo, "rows", selected)
    monkeypatch.setattr(zoo, "row", lambda name: known[name])
    monkeypatch.setattr(zoo.catalog, "names", lambda: known)


def loaded_scores(tmp_path):
    path = tmp_path / "state.pth"
    save_checkpoint(path, tsn_state())
    return scores(build(weights=path))


def test_a_dataset_selects_the_best_row_which_is_fetched_once(published, server, tmp_path):
    expected = loaded_scores(tmp_path)
    model = build(weights="kinetics400")
    np.testing.assert_allclose(scores(model), expected, rtol=1e-5)
    assert model.preprocessing["row"] == published.id
    again = build(weights=published.name)
    np.testing.assert_allclose(scores(again), expected, rtol=1e-5)
    assert len(server.requests) == 1
    assert len(list((tmp_path / "keras/keras_video/converted").iterdir())) == 1


def test_a_row_loads_its_own_checkpoint_without_a_lookup(server, tmp_path, caplog):
    save_checkpoint(tmp_path / "made.pth", tsn_state())
    row = dataclasses.replace(serve_row(server, tmp_path / "made.pth"), id="mine")
    model = row.model(weights=True, input_shape=SHAPE)
    np.testing.assert_allclose(scores(model), loaded_scores(tmp_path), rtol=1e-5)
    assert model.protocol == row.protocol("test") and model.protocol.row == "mine"
    with caplog.at_level(logging.WARNING):
        other = row.model(weights=True, input_shape=SHAPE, classes=4)
    assert "tsn_r18_made has 6 classes, the model 4" in caplog.text
    assert other.output_shape == (None, 4)
    body = row.model(weights=True, input_shape=SHAPE, include_top=False)
    kernel = keras.ops.convert_to_numpy(body.get_layer("conv1_conv").kernel)
    state = tsn_state()["backbone.conv1.conv.weight"]
    np.testing.assert_array_equal(kernel, state.transpose(2, 3, 1, 0))


def test_other_classes_get_a_new_classifier(published, caplog):
    with caplog.at_level(logging.WARNING):
        model = build(weights="kinetics400", classes=9)
    assert "tsn_r18_made has 6 classes, the model 9" in caplog.text
    assert model.output_shape == (None, 9)
    kernel = keras.ops.convert_to_numpy(model.get_layer("layer4_1_conv2_conv").kernel)
    state = tsn_state()["backbone.layer4.1.conv2.conv.weight"]
    np.testing.assert_array_equal(kernel, state.transpose(2, 3, 1, 0))
    assert model.class_names is None


def test_without_top_only_the_body_is_loaded(published):
    model = build(weights="kinetics400", include_top=False, pooling="avg")
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv1_conv").kernel)
    state = tsn_state()["backbone.conv1.conv.weight"]
    np.testing.assert_array_equal(kernel, state.transpose(2, 3, 1, 0))


def test_imagenet_initializes_the_body(server, tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "made.pth", torchvision_names(tsn_state()), nest=None)
    put_in_zoo(monkeypatch, serve_row(server, tmp_path / "made.pth"))
    start = dataclasses.replace(zoo.row("tsn_r18_made").initial_weights, url=server.url)
    monkeypatch.setattr(type(start), "sha256_prefix", None)
    model = build(weights="imagenet")
    kernel = keras.ops.convert_to_numpy(model.get_layer("layer2_0_downsample_conv").kernel)
    state = tsn_state()["backbone.layer2.0.downsample.conv.weight"]
    np.testing.assert_array_equal(kernel, state.transpose(2, 3, 1, 0))


@pytest.mark.parametrize("ending", ["model.keras", "model.weights.h5"])
def test_keras_files(ending, tmp_path):
    model = build()
    model.class_names = list("abcdef")
    path = tmp_path / ending
    model.save(path) if ending.endswith(".keras") else model.save_weights(path)
    loaded = build(weights=str(path))
    np.testing.assert_allclose(scores(loaded), scores(model), rtol=1e-6)
    if ending.endswith(".keras"):
        assert loaded.class_names == list("abcdef")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pth"):
        build(weights=tmp_path / "nowhere.pth")


def test_a_url_is_recognized_as_that_of_a_row(published, server, tmp_path):
    model = keras_video.load(server.url, input_shape=SHAPE)
    np.testing.assert_allclose(scores(model), loaded_scores(tmp_path), rtol=1e-5)
    assert model.preprocessing["row"] == published.id
    again = keras_video.load(published, input_shape=SHAPE)
    np.testing.assert_allclose(scores(again), scores(model), rtol=1e-5)
    assert len(server.requests) == 1
    with pytest.raises(ValueError, match="dialect='tsn': a row of the zoo needs none"):
        keras_video.load(published, dialect="tsn")


def test_another_url_is_loaded_by_names_and_shapes(server, tmp_path):
    save_checkpoint(tmp_path / "made.pth", tsn_state())
    server.content = (tmp_path / "made.pth").read_bytes()
    digest = hashlib.sha256(server.content).hexdigest()
    model = keras_video.load(f"{server.url}#sha256={digest}", input_shape=SHAPE)
    np.testing.assert_allclose(scores(model), loaded_scores(tmp_path), rtol=1e-5)
    assert model.preprocessing is None
    with pytest.raises(FetchError, match="wrong content"):
        keras_video.load(f"{server.url}#sha256={'0' * 64}")
    server.script = [404]
    with pytest.raises(FetchError, match="HTTP status 404"):
        keras_video.load(server.url.replace("/zoo/", "/other/"))


def test_files_that_an_index_at_an_address_lists_are_fetched(tmp_path, monkeypatch):
    numpy_files = pytest.importorskip("safetensors.numpy")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)
    monkeypatch.delenv("KERAS_VIDEO_WEIGHTS", raising=False)
    (tmp_path / "served").mkdir()
    state = tsn_state()
    shards = {name: f"model-{1 + n % 2}-of-2.safetensors" for n, name in enumerate(state)}
    for file in {*shards.values()}:
        part = {name: array for name, array in state.items() if shards[name] == file}
        numpy_files.save_file(part, tmp_path / "served" / file)
    index = tmp_path / "served" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    with FilesServer(tmp_path / "served") as running:
        model = keras_video.load(f"{running.url}/{index.name}", input_shape=SHAPE)
        assert sorted(running.paths) == [
            "/model-1-of-2.safetensors", "/model-2-of-2.safetensors", f"/{index.name}",
        ]  # fmt: skip
    np.testing.assert_allclose(scores(model), loaded_scores(tmp_path), rtol=1e-5)


def test_a_saved_model_at_an_address_is_inspected(server, tmp_path):
    build(classes=2).save(tmp_path / "model.keras")
    server.content = (tmp_path / "model.keras").read_bytes()
    address = server.url.replace("tsn_r50-0123abcd.pth", "model.keras")
    assert keras_video.load(address).output_shape == (None, 2)
    inputs = keras.Input((2,))
    keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs)).save(tmp_path / "bad.keras")
    server.content = (tmp_path / "bad.keras").read_bytes()
    with pytest.raises(UnsafeFileError, match="Lambda can run code"):
        keras_video.load(address.replace("/zoo/", "/bad/"))


def test_without_network_the_error_says_which_file_to_put_where(published, server, monkeypatch):
    server.shutdown()
    server.server_close()
    with pytest.raises(FetchError) as error:
        build(weights="kinetics400")
    message = str(error.value)
    assert published.checkpoints[0].file in message
    assert "KERAS_VIDEO_WEIGHTS" in message


def test_arguments_missing_in_a_row_are_the_constructors_defaults():
    model = keras.Model(*[keras.Input((4, 32, 32, 3))] * 2)

    def names(**arguments):
        return {row.name for row in matching_rows(model, SlowOnly, arguments)}

    plain = {"depth": 50, "non_local": None}
    unpooled = next(row for row in zoo.rows("slowonly") if "first_pool" in row.arguments)
    assert names(**plain, first_pool=False) == {unpooled.name}
    pooled = names(**plain, first_pool=True)
    assert "slowonly_r50_4x16x1_256e_kinetics400_rgb" in pooled
    assert unpooled.name not in pooled


def test_models_with_frozen_norms_have_the_same_published_weights():
    with pytest.raises(ValueError, match=r"there are weights for \['kinetics400'\]"):
        CSN(weights="jester", freeze_norm=True, input_shape=(8, 32, 32, 3))


def test_unpublished_weights_are_rejected():
    with pytest.raises(ValueError, match="there are weights for"):
        build(weights="jester")
    with pytest.raises(ValueError, match="is not the name or id of a row"):
        build(weights="nothing_of_the_kind")
    with pytest.raises(ValueError, match="imagenet"):
        TSN(backbone="resnet34", weights="imagenet", input_shape=SHAPE)
