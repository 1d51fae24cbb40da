import keras
import numpy as np
import pytest

from keras_video.applications.tanet import TANet
from keras_video.weights import load_state
from tests import reference
from tests.layer_outputs import assert_layer_outputs_equal, intermediate_outputs

SMALL = {"input_shape": (4, 32, 32, 3), "classes": 3}
LAYERS = {
    "conv1": "conv1_relu",
    "layer1.0.block.conv1": "layer1_0_conv1_relu",
    "layer1.0.tam": "layer1_0_tam",
    "layer1": "layer1_2_relu",
    "layer2": "layer2_3_relu",
    "layer3": "layer3_5_relu",
    "layer4": "layer4_2_relu",
}


def test_equals_the_original():
    case = reference.load("tanet_r50_1x1x8")
    clips = case.clips()
    model = TANet(input_shape=clips.shape[1:], classes=case.classes, classifier_activation=None)
    assert reference.learned(model) == case.facts["parameter_count"]
    load_state(model, case.weights())
    values, logits = intermediate_outputs(model, clips, LAYERS.values())
    assert_layer_outputs_equal(case, values, LAYERS)
    reference.assert_logits_equal(logits, case.logits)


@pytest.mark.parametrize(
    ("segments", "classes", "count"), [(8, 400, 25590320), (8, 174, 25127246), (16, 174, 25134670)]
)
def test_parameter_counts(segments, classes, count):
    model = TANet(input_shape=(segments, 64, 64, 3), classes=classes)
    assert reference.learned(model) == count


def test_reversed_time_changes_the_scores():
    keras.utils.set_random_seed(0)
    model = TANet(**SMALL, classifier_activation=None)
    clips = np.random.default_rng(0).normal(size=(1, 4, 32, 32, 3)).astype("float32")
    forward, backward = (keras.ops.convert_to_numpy(model(x)) for x in (clips, clips[:, ::-1]))
    assert np.abs(forward - backward).max() > 1e-4 * np.abs(forward).max()


def test_features_keep_their_frames():
    model = TANet(input_shape=(4, 64, 64, 3), include_top=False)
    assert model.output_shape == (None, 4, 2, 2, 2048)


@pytest.mark.parametrize("arguments", [{"depth": 18}, {"input_shape": (None, 64, 64, 3)}], ids=str)
def test_rejects(arguments):
    with pytest.raises(ValueError, match="depth=18|number of frames"):
        TANet(**arguments)
