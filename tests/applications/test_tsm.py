import keras
import numpy as np
import pytest

from keras_video.applications.tsm import TSM
from keras_video.weights import load_state
from tests import reference
from tests.layer_outputs import assert_layer_outputs_equal, intermediate_outputs

SMALL = {"input_shape": (4, 32, 32, 3), "classes": 3}

CASES = {
    "tsm_r50_1x1x8": (
        "resnet50",
        {"conv1": "conv1_relu", "maxpool": "maxpool"}
        | {f"layer{s + 1}": f"layer{s + 1}_{n}_relu" for s, n in enumerate((2, 3, 5, 2))},
    ),
    "tsm_mobilenetv2": (
        "mobilenet_v2",
        {
            "conv1": "conv1_relu6",
            "layer1": "layer1_0_conv_1_bn",
            "layer2": "layer2_1_add",
            "layer3": "layer3_2_add",
            "layer5": "layer5_2_add",
            "layer7": "layer7_0_conv_2_bn",
            "conv2": "conv2_relu6",
        },
    ),
}

# Learned parameters for 400 classes where the published rows have them.
PARAMETERS = [
    ({}, 24327632),
    ({"segments": 16, "temporal_pool": True}, 24327632),
    ({"non_local": "embedded_gaussian"}, 31682000),
    ({"non_local": "gaussian"}, 28007888),
    ({"non_local": "dot_product"}, 31682000),
    ({"backbone": "resnet101", "classes": 174}, 42856686),
    ({"backbone": "mobilenet_v2"}, 2736272),
]


@pytest.mark.parametrize("name", CASES)
def test_equals_the_original(name):
    case, (backbone, layers) = reference.load(name), CASES[name]
    clips = case.clips()
    model = TSM(
        input_shape=clips.shape[1:],
        classes=case.classes,
        backbone=backbone,
        classifier_activation=None,
    )
    assert reference.learned(model) == case.facts["parameter_count"]
    load_state(model, case.weights())
    values, logits = intermediate_outputs(model, clips, layers.values())
    assert_layer_outputs_equal(case, values, layers)
    reference.assert_logits_equal(logits, case.logits)


@pytest.mark.parametrize(("arguments", "count"), PARAMETERS, ids=str)
def test_parameter_counts(arguments, count):
    segments = arguments.get("segments", 8)
    model = TSM(input_shape=(segments, 64, 64, 3), **arguments)
    assert reference.learned(model) == count


def shifts(model):
    return [layer for layer in model.layers if layer.name.endswith("_shift")]


def test_deep_networks_shift_every_second_block():
    assert len(shifts(TSM(**SMALL))) == 16
    names = {layer.name for layer in shifts(TSM(**SMALL, backbone="resnet101"))}
    assert len(names) == 2 + 2 + 12 + 2
    assert "layer3_0_conv1_shift" in names
    assert "layer3_1_conv1_shift" not in names


def test_temporal_pool_halves_frames_after_the_first_stage():
    frames = {layer.name: layer.frames for layer in shifts(TSM(**SMALL, temporal_pool=True))}
    assert frames["layer1_2_conv1_shift"] == 4
    assert frames["layer2_0_conv1_shift"] == 2
    assert frames["layer4_2_conv1_shift"] == 2


def test_reversed_time_changes_the_scores():
    keras.utils.set_random_seed(0)
    clips = np.random.default_rng(0).normal(size=(1, 4, 32, 32, 3)).astype("float32")
    model = TSM(**SMALL, backbone="mobilenet_v2", classifier_activation=None)
    forward, backward = (keras.ops.convert_to_numpy(model(x)) for x in (clips, clips[:, ::-1]))
    assert np.abs(forward - backward).max() > 1e-3 * np.abs(forward).max()


def test_features_keep_all_frames():
    small = {"input_shape": (4, 64, 64, 3), "include_top": False, "backbone": "mobilenet_v2"}
    assert TSM(**small).output_shape == (None, 4, 2, 2, 1280)
    assert TSM(**small, pooling="avg").output_shape == (None, 1280)
    assert TSM(**small, pooling="max").output_shape == (None, 1280)


def test_is_restored_from_a_file(tmp_path):
    model = TSM(**SMALL, backbone="mobilenet_v2")
    model.class_names = ["left", "right", "still"]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    clips = np.random.default_rng(0).normal(size=(2, 4, 32, 32, 3)).astype("float32")
    scores = keras.ops.convert_to_numpy(model(clips))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loaded(clips)), scores, atol=1e-6)
    np.testing.assert_allclose(scores.sum(axis=-1), 1, rtol=1e-5)
    assert loaded.class_names == model.class_names


def test_is_restored_from_its_config():
    model = TSM(**SMALL, non_local="gaussian", temporal_pool=True)
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    clips = np.random.default_rng(0).normal(size=(2, 4, 32, 32, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(clips))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(again(clips)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "resnet18"}, "backbone='resnet18'"),
        ({"backbone": "mobilenet_v2", "non_local": "gaussian"}, "only supported with a ResNet"),
        ({"online": True, "temporal_pool": True}, "online=True"),
        ({"non_local": "cosine"}, "cosine"),
        ({"input_shape": (None, 64, 64, 3)}, "number of frames"),
    ],
    ids=str,
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        TSM(**arguments)
