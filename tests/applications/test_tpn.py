import keras
import numpy as np
import pytest

from keras_video.applications.tpn import TPN
from tests import reference
from tests.applications.parity import assert_equals_the_original

SMALL = {"input_shape": (8, 32, 32, 3), "classes": 3, "classifier_activation": None}


@pytest.mark.slow(every_change=True)
def test_equals_the_original():
    layers = {
        "conv1": "conv1_relu",
        "layer3": "layer3_5_relu",
        "layer4": "layer4_2_relu",
        "neck.spatial_modulation#0": "neck_spatial_modulation_spatial_modulation_0_0_relu",
        "neck.level_fusion_1": "neck_level_fusion_1_fusion_conv_relu",
        "neck.level_fusion_2": "neck_level_fusion_2_fusion_conv_relu",
        "neck.pyramid_fusion": "neck_pyramid_fusion_relu",
    }
    assert_equals_the_original("tpn_slowonly_r50", TPN, layers)


def test_parameters_on_shifted_frames():
    model = TPN(backbone="tsm_r50", classes=174, input_shape=(8, 32, 32, 3))
    assert reference.learned(model) == 82445724


def test_auxiliary_logits_come_from_shared_weights():
    single, double = TPN(**SMALL), TPN(**SMALL, auxiliary=True)
    assert [v.path for v in single.weights] == [v.path for v in double.weights]
    double.set_weights(single.get_weights())
    clips = np.random.default_rng(0).normal(size=(2, 8, 32, 32, 3)).astype("float32")
    expected = keras.ops.convert_to_numpy(single(clips))
    logits, auxiliary = (keras.ops.convert_to_numpy(x) for x in double(clips))
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    assert auxiliary.shape == (2, 3)
    assert np.abs(auxiliary[0] - auxiliary[1]).max() > 0


@pytest.mark.slow
def test_both_losses_train():
    model = TPN(**SMALL, auxiliary=True)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss=[loss, loss], loss_weights=[1, 0.5])
    clips = np.random.default_rng(0).normal(size=(2, 8, 32, 32, 3)).astype("float32")
    head = model.get_layer("neck_aux_head")
    before = head.get_weights()
    labels = np.array([0, 1])
    model.train_on_batch(clips, [labels, labels])
    for old, new in zip(before, head.get_weights(), strict=True):
        assert not np.array_equal(old, new)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backbone": "resnet50"}, "backbone='resnet50'"),
        ({"backbone": "tsm_r50", "input_shape": (None, 32, 32, 3)}, "number of frames"),
    ],
    ids=str,
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        TPN(**arguments)
