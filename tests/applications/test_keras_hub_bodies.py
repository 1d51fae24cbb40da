"""KerasHub's image and video encoders as frozen bodies, with random weights."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_video
from keras_video import probes
from keras_video.applications import TSN
from keras_video.probes.bodies import ProbeBody
from tests.probes.test_extraction import ROW

ROOT = Path(__file__).parents[2]
VIT = {"hidden_dim": 16, "num_layers": 1, "num_heads": 2, "intermediate_dim": 32}
IMAGE = {"patch_size": 8, "image_shape": (32, 32, 3), **VIT}
CLIPS = np.random.default_rng(0).normal(size=(3, 4, 32, 32, 3)).astype("float32")


def dinov2(hub):
    shape = {"position_embedding_shape": (32, 32, 3), "num_register_tokens": 2}
    return hub.models.DINOV2Backbone(**IMAGE, **shape)


def dinov3(hub):
    return hub.models.DINOV3Backbone(**IMAGE, num_register_tokens=2)


def siglip(hub):
    return hub.models.SigLIPVisionEncoder(**IMAGE)


def clip(hub):
    return hub.models.CLIPVisionEncoder(**IMAGE)


def videoprism(hub):
    prism = {key: value for key, value in IMAGE.items() if key != "num_layers"}
    layers = {"num_spatial_layers": 1, "num_temporal_layers": 1, "num_auxiliary_layers": 0}
    return hub.models.VideoPrismBackbone(num_frames=4, **prism, **layers)


TOKENS = {dinov2: 19, dinov3: 19, siglip: 1, clip: 17, videoprism: 16}
bodies = pytest.mark.parametrize("make", TOKENS, ids=lambda make: make.__name__)


@pytest.fixture(scope="module")
def hub():
    return pytest.importorskip("keras_hub", reason="needs the extra 'keras_hub'")


@bodies
def test_features_are_those_of_the_encoder(make, hub):
    body = make(hub)
    model = TSN(backbone=body, segments=4, include_top=False)
    assert model.output_shape == (None, 4, TOKENS[make], 1, 16)
    inputs = CLIPS if make is videoprism else CLIPS.reshape(-1, 32, 32, 3)
    expected = keras.ops.convert_to_numpy(body(inputs)).reshape(3, 4, -1, 1, 16)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(CLIPS)), expected, atol=1e-4)


@bodies
@pytest.mark.parametrize("head", ["mean", "attentive", "trn"])
def test_heads_train_on_a_frozen_encoder(make, head, hub):
    keras.utils.set_random_seed(0)
    body = make(hub)
    body.trainable = False
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in body.weights]
    model = TSN(backbone=body, segments=4, classes=2, dropout=0, head=head, hidden_dim=8)
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    losses = model.fit(CLIPS, np.array([0, 1, 0]), epochs=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    after = [keras.ops.convert_to_numpy(variable) for variable in body.weights]
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


@bodies
def test_a_probe_of_it_is_loaded_by_a_separate_process(make, hub, tmp_path):
    model = TSN(backbone=make(hub), segments=4, classes=3)
    model.protocol = ROW.protocol("test")
    body = ProbeBody(model, tokens=make is not siglip)
    features = body.network.predict_on_batch(CLIPS)
    kind = "linear" if make is siglip else "attentive"
    head = probes.fit_head(kind, features, np.array([0, 1, 0]), 2)
    from keras_video.probes.probing import attach_head

    probe = attach_head(body, head, ["a", "b"])
    probe.save(tmp_path / "probe.keras")
    np.save(tmp_path / "clips.npy", CLIPS)
    expected = keras.ops.softmax(head.logits(features))
    code = (
        "import sys, numpy as np, keras_video; "
        "assert 'keras_hub' not in sys.modules; "
        f"model = keras_video.load_model({str(tmp_path / 'probe.keras')!r}); "
        f"scores = model.predict(np.load({str(tmp_path / 'clips.npy')!r}), verbose=0); "
        f"np.save({str(tmp_path / 'scores.npy')!r}, scores)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr[-3000:]
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=2e-3)


def test_tokenizers_are_not_part_of_a_network(hub, tmp_path, monkeypatch):
    from keras_video.weights import keras_files

    monkeypatch.delitem(sys.modules, "keras_hub", raising=False)
    assert keras_files._is_known_class("X", "y", "keras_hub>DINOV2Backbone")
    monkeypatch.delitem(sys.modules, "keras_hub", raising=False)
    assert not keras_files._is_known_class("X", "y", "keras_hub>BytePairTokenizer")
    assert keras_video.load_model
