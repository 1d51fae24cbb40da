import keras
import numpy as np
import pytest

from keras_video.applications.trn import TRN
from keras_video.weights import load_state
from tests import reference
from tests.layer_outputs import assert_layer_outputs_equal, intermediate_outputs

SMALL = {"input_shape": (4, 32, 32, 3), "classes": 3, "depth": 18}
LAYERS = {
    "conv1": "conv1_relu",
    "maxpool": "maxpool",
    "layer1": "layer1_2_relu",
    "layer2": "layer2_3_relu",
    "layer3": "layer3_5_relu",
    "layer4": "layer4_2_relu",
    "cls_head.fc_cls": "fc_cls",
}


def test_equals_the_original():
    case = reference.load("trn_r50_1x1x8")
    clips = case.clips()
    model = TRN(
        input_shape=clips.shape[1:],
        classes=case.classes,
        classifier_activation=None,
        relation_picks=case.facts["relation_picks"],
    )
    assert reference.learned(model) == case.facts["parameter_count"]
    load_state(model, case.weights())
    values, logits = intermediate_outputs(model, clips, LAYERS.values())
    assert_layer_outputs_equal(case, values, LAYERS)
    reference.assert_logits_equal(logits, case.logits)


@pytest.mark.parametrize(("relation", "count"), [("multi_scale", 26641154), ("plain", 25170926)])
def test_parameter_counts(relation, count):
    model = TRN(input_shape=(8, 64, 64, 3), classes=174, relation=relation)
    assert reference.learned(model) == count


def test_reversed_time_changes_the_scores():
    keras.utils.set_random_seed(0)
    clips = np.random.default_rng(0).normal(size=(1, 4, 32, 32, 3)).astype("float32")
    model = TRN(**SMALL, classifier_activation=None)
    forward, backward = (keras.ops.convert_to_numpy(model(x)) for x in (clips, clips[:, ::-1]))
    assert np.abs(forward - backward).max() > 1e-4 * np.abs(forward).max()


@pytest.mark.parametrize("relation", ["multi_scale", "plain"])
def test_is_restored_from_a_file(relation, tmp_path):
    model = TRN(**SMALL, relation=relation, seed=5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    clips = np.random.default_rng(0).normal(size=(2, 4, 32, 32, 3)).astype("float32")
    scores = keras.ops.convert_to_numpy(model(clips))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loaded(clips)), scores, atol=1e-6)


def test_features_keep_their_frames():
    model = TRN(input_shape=(4, 64, 64, 3), depth=18, include_top=False)
    assert model.output_shape == (None, 4, 2, 2, 512)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 20}, "depth=20"),
        ({"relation": "pairs"}, "relation='pairs'"),
        ({"input_shape": (None, 64, 64, 3)}, "number of frames"),
    ],
    ids=str,
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        TRN(**arguments)
