import keras
import numpy as np
import pytest

from keras_video.applications.tin import TIN
from keras_video.weights import load_state
from tests import reference
from tests.fixtures import rule
from tests.layer_outputs import assert_layer_outputs_equal, intermediate_outputs

SMALL = {"input_shape": (4, 32, 32, 3), "classes": 3}
INTERLACE = "layer1_0_conv1_interlace"
LAYERS = {
    "conv1": "conv1_relu",
    "layer1.0.conv1.conv.net1": INTERLACE,
    "layer1": "layer1_2_relu",
    "layer2": "layer2_3_relu",
    "layer3": "layer3_5_relu",
    "layer4": "layer4_2_relu",
}


def test_equals_the_original():
    case = reference.load("tin_r50_1x1x8")
    clips = case.clips()
    model = TIN(input_shape=clips.shape[1:], classes=case.classes, classifier_activation=None)
    assert reference.learned(model) == case.facts["parameter_count"]
    load_state(model, case.weights())
    values, logits = intermediate_outputs(model, clips, [*LAYERS.values(), "maxpool"])
    assert_layer_outputs_equal(case, values, LAYERS)
    reference.assert_logits_equal(logits, case.logits)
    assert_networks_equal(case, model.get_layer(INTERLACE), values["maxpool"])


def assert_networks_equal(case, layer, x):
    """Compares the offsets and weights of the first block with those of the original."""
    fold = x.shape[-1] // layer.divisor
    pooled = x[..., :fold].mean(axis=(1, 2)).reshape(-1, layer.frames, fold)
    prefix = "tap/backbone.layer1.0.conv1.conv.net1"
    for network, values in (
        ("offset_net", layer.offsets(pooled)[:, :2]),
        ("weight_net", layer.frame_weights(pooled)[..., :2]),
    ):
        expected = case.arrays[f"{prefix}.{network}"]
        actual = keras.ops.convert_to_numpy(values).reshape(-1)
        actual = actual[rule.sample_positions(actual.size)]
        np.testing.assert_allclose(actual, expected, atol=1e-5)


def test_parameter_counts():
    model = TIN(input_shape=(8, 64, 64, 3))
    assert reference.learned(model) == 24358640


def test_reversed_time_changes_the_scores():
    keras.utils.set_random_seed(0)
    model = TIN(**SMALL, classifier_activation=None)
    clips = np.random.default_rng(0).normal(size=(1, 4, 32, 32, 3)).astype("float32")
    forward, backward = (keras.ops.convert_to_numpy(model(x)) for x in (clips, clips[:, ::-1]))
    assert np.abs(forward - backward).max() > 1e-4 * np.abs(forward).max()


def test_features_keep_their_frames():
    model = TIN(input_shape=(4, 64, 64, 3), include_top=False)
    assert model.output_shape == (None, 4, 2, 2, 2048)


@pytest.mark.parametrize("arguments", [{"depth": 18}, {"input_shape": (None, 64, 64, 3)}], ids=str)
def test_rejects(arguments):
    with pytest.raises(ValueError, match="depth=18|number of frames"):
        TIN(**arguments)
