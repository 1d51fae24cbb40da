"""Models on the Hub: uploaded with their card, and loaded back; over a loopback server."""

import json
import logging
import sys

import keras
import numpy as np
import pytest

import keras_video
from keras_video import zoo
from keras_video.applications import TSN
from keras_video.applications.sharing import model_card
from keras_video.weights import FetchError
from keras_video.weights.hub import HubAddress
from tests.applications import families
from tests.applications.test_pretrained import put_rows
from tests.weights.hub_server import HubServer
from tests.weights.test_hub import server as hub_server  # noqa: F401

CLASSES = ["left", "right"]


@pytest.fixture
def server(hub_server):  # noqa: F811
    hub_server.repositories.clear()
    return hub_server


@pytest.fixture(scope="module")
def model():
    video_model = TSN(backbone="resnet18", input_shape=(2, 32, 32, 3), classes=2)
    video_model.class_names = CLASSES
    video_model.preprocessing = (
        zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb").preprocessing().facts()
    )
    video_model.compile("sgd", "sparse_categorical_crossentropy")
    return video_model


def test_a_model_is_uploaded_and_loaded_back(server: HubServer, model):
    page = keras_video.save_to_hub(model, "hf://user/mine", license="MIT", message="First")
    assert page.endswith("/user/mine/commit/0123456789abcdef0123456789abcdef01234567")
    assert server.repositories["user/mine"].keys() == {"README.md", "model.keras"}
    assert server.commits == ["First"]
    loaded = keras_video.load("hf://user/mine")
    assert loaded.class_names == CLASSES and loaded.preprocessing == model.preprocessing
    for saved, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, other)
    with pytest.raises(ValueError, match="takes no classes"):
        keras_video.load("hf://user/mine", classes=3)


def test_the_card_says_what_the_model_is_and_how_to_use_it(model):
    card = model_card(model, HubAddress("user/mine"), license="MIT", text="Ours.", language="en")
    front, _, text = card.removeprefix("---\n").partition("\n---\n")
    assert 'license: "mit"' in front and "pipeline_tag: video-classification" in front
    assert "library_name: keras-video" in front and 'language: "en"' in front
    assert text.startswith("\n# mine\n\nOurs.\n")
    assert 'model = keras_video.load("hf://user/mine")' in text
    assert 'pip install "keras-video[hub]"' in text
    assert "0. left\n1. right" in text
    assert "num_clips=25" in text and "mean (123.675, 116.28, 103.53)" in text
    assert "score average over views: score" in text and "## License\n\nMIT" in text
    assert "t41_r00" not in text  # its classes are others


def test_a_card_names_the_row_of_a_model():
    row = zoo.row("torchvision/r3d_18/KINETICS400_V1")
    published = row.model(input_shape=(4, 32, 32, 3))
    card = model_card(published, HubAddress("user/r3d"))
    assert 'license: "bsd-3-clause"' in card and row.id in card and "top-1 63.2" in card
    assert "399. zumba" in card


def test_a_card_of_a_model_without_metadata():
    plain = TSN(backbone="resnet18", input_shape=(2, 32, 32, 3), classes=2)
    card = model_card(plain, HubAddress("user/plain"))
    assert "license:" not in card and "license of the weights is unknown" in card
    assert "## Classes" not in card and "## Protocol" not in card and "predict_video" not in card


@pytest.mark.parametrize("address", ["user/name", "hf://user/name/file.keras", "hf://name"])
def test_only_repository_addresses_are_accepted(model, address):
    with pytest.raises(ValueError, match=r"hf://user/name"):
        keras_video.save_to_hub(model, address)


def test_only_video_models_are_uploaded():
    inputs = keras.Input((2,))
    with pytest.raises(ValueError, match="received a Functional, expected a VideoModel"):
        keras_video.save_to_hub(keras.Model(inputs, inputs), "hf://user/name")


def test_a_missing_package_is_reported(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install keras-video\[hub\]"):
        keras_video.save_to_hub(model, "hf://user/name")


CONFIG = {
    "num_attention_heads": 2, "layer_norm_eps": 1e-6, "num_frames": 4, "image_size": 32,
    "num_channels": 3, "id2label": {str(n): f"class {n}" for n in range(families.CLASSES)},
}  # fmt: skip


def hub_files(server, config):
    """A small VideoMAE as a Hub repository."""
    from safetensors.numpy import save

    from tests.applications.test_round_trips import transformers_videomae
    from tests.weights import names_of_projects as names

    state = names.hub_state(
        names.named(families.shared("videomae"), names.transformers("videomae"), zeros=False)
    )
    assert state.keys() == transformers_videomae(families.shared("videomae")).keys()
    arrays = {key: np.ascontiguousarray(array) for key, array in state.items()}
    return {"model.safetensors": save(arrays), "config.json": json.dumps(config).encode()}


def test_a_repository_of_transformers_needs_no_argument(server):
    """Its configurations have attention heads, clip shape, classes and normalization."""
    server.repositories["user/videomae"] = hub_files(server, CONFIG)
    model = keras_video.load("hf://user/videomae")
    assert model.input_shape == (None, 4, 32, 32, 3)
    assert model.class_names == list(CONFIG["id2label"].values())
    clips = families.clips("videomae")
    expected = keras.ops.softmax(families.shared("videomae")(clips))
    np.testing.assert_allclose(model(clips), expected, atol=1e-4)


def test_undetermined_arguments_are_listed(server):
    server.repositories["user/videomae"] = hub_files(server, {"hidden_size": 48})
    with pytest.raises(ValueError, match=r"num_heads \(attention heads\).*num_heads=\.\.\."):
        keras_video.load("hf://user/videomae")


def test_a_hub_row_is_recognized_by_its_repository(server, monkeypatch, caplog):
    preprocessor = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    files = hub_files(server, CONFIG)
    files["preprocessor_config.json"] = json.dumps(preprocessor).encode()
    server.repositories["MCG-NJU/videomae-small-finetuned-kinetics"] = files
    template = zoo.row("hf/MCG-NJU/videomae-small-finetuned-kinetics")
    import dataclasses

    small = {"embed_dim": 48, "num_layers": 2, "num_heads": 2, "mlp_dim": 96, "patch_size": 8}
    row = dataclasses.replace(
        template, arguments={**template.arguments, **small}, input_shape=(4, 32, 32, 3),
        classes=families.CLASSES,
    )  # fmt: skip
    put_rows(monkeypatch, (row,))
    with caplog.at_level(logging.WARNING):
        model = keras_video.load("hf://MCG-NJU/videomae-small-finetuned-kinetics")
    assert model.preprocessing["row"] == row.id
    assert model.class_names == list(CONFIG["id2label"].values())
    assert model.preprocessing["normalize"]["mean"] == [127.5] * 3
    assert "preprocessor_config.json states mean" in caplog.text
    named = keras_video.load(row.id)
    assert named.preprocessing == model.preprocessing


def test_a_missing_repository_is_reported(server):
    with pytest.raises(FetchError, match="hf://user/none: RepositoryNotFoundError"):
        keras_video.load("hf://user/none")
