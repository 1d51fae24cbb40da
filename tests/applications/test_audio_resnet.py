import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.applications.audio_resnet import AudioResNet
from keras_video.weights import load_state
from tests import reference
from tests.layer_outputs import assert_layer_outputs_equal, intermediate_outputs

SMALL = {"input_shape": (32, 40, 1), "classes": 3}

# Learned parameters of the audio configs for 400 classes.
PARAMETERS = [
    ({"depth": 18}, 11375440),
    ({"depth": 50}, 24321360),
    ({"depth": 50, "factorized": True}, 6315728),
]


def test_equals_the_original():
    case = reference.load("audio_r18")
    x = case.clips()
    model = AudioResNet(input_shape=x.shape[1:], classifier_activation=None)
    load_state(model, case.weights())
    layers = {"conv1": "conv1_relu", "maxpool": "maxpool"}
    layers |= {f"layer{stage}": f"layer{stage}_1_relu" for stage in range(1, 5)}
    values, logits = intermediate_outputs(model, x, layers.values())
    assert_layer_outputs_equal(case, values, layers)
    reference.assert_logits_equal(logits, case.logits)


@pytest.mark.parametrize(("arguments", "count"), PARAMETERS, ids=str)
def test_parameter_counts(arguments, count):
    assert reference.learned(AudioResNet(**arguments)) == count


@pytest.mark.parametrize("row", zoo.rows(family="audio"), ids=lambda row: row.name)
def test_every_audio_row_builds(row):
    if row.constructor is None:
        pytest.skip("a fusion of other rows")
    model = row.model(input_shape=(32, 40, 1))
    assert model.output_shape == (None, row.classes)


def test_factorized_layers_have_the_names_of_checkpoints():
    model = AudioResNet(**SMALL, depth=50, factorized=True)
    names = {variable.path.rpartition("/")[0] for variable in model.weights}
    assert {"conv1_conv_conv_1_conv", "conv1_conv_conv_2_bn", "conv1_bn"} <= names
    assert {"layer2_3_conv2_conv_conv_2_conv", "layer2_3_conv2_conv_conv_2_bn"} <= names
    assert "layer3_0_conv2_conv" in names
    assert "layer3_0_conv2_bn" not in names


def test_time_and_mels_may_be_unknown():
    keras.utils.set_random_seed(0)
    fixed = AudioResNet(**SMALL)
    model = AudioResNet(input_shape=(None, None, 1), classes=3)
    model.set_weights(fixed.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 32, 40, 1)).astype("float32")
    ours, theirs = (keras.ops.convert_to_numpy(m(x)) for m in (model, fixed))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_features():
    assert AudioResNet(include_top=False).output_shape == (None, 4, 3, 512)
    assert AudioResNet(include_top=False, pooling="avg").output_shape == (None, 512)
    thin = AudioResNet(include_top=False, depth=50, factorized=True)
    assert thin.output_shape == (None, 16, 10, 1024)


@pytest.mark.parametrize("arguments", [{}, {"depth": 50, "factorized": True}], ids=str)
def test_is_restored_from_a_file(tmp_path, arguments):
    model = AudioResNet(**SMALL, **arguments)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(2, 32, 40, 1)).astype("float32")
    ours, theirs = (keras.ops.convert_to_numpy(m(x)) for m in (model, loaded))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 20}, "depth=20"),
        ({"depth": 18, "factorized": True}, "depth=18, factorized=True"),
        ({"input_shape": (128, 80)}, r"input_shape=\(128, 80\)"),
    ],
    ids=str,
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        AudioResNet(**arguments)
