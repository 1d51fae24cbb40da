import keras
import numpy as np
import pytest

from keras_video.training.preparation import freeze_batch_norm, freeze_stages, hold_statistics


@keras.saving.register_keras_serializable("tests_preparation")
class Block(keras.layers.Layer):
    """A composite layer with two norms inside."""

    def __init__(self, name, **options):
        super().__init__(name=name, **options)
        self.dense = keras.layers.Dense(4, name=f"{name}_dense")
        self.first = keras.layers.BatchNormalization(name=f"{name}_bn1")
        self.second = keras.layers.BatchNormalization(name=f"{name}_bn2")

    def call(self, x, training=False):
        return self.second(self.first(self.dense(x), training=training), training=training)


def network():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(4, name="conv1_conv")(inputs)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x)
    x = keras.layers.ReLU(name="conv1_relu")(x)
    x = Block(name="layer1_0")(x)
    x = keras.layers.Dense(4, name="layer2_0_conv1_conv")(x)
    x = keras.layers.BatchNormalization(name="layer2_0_conv1_bn")(x)
    x = keras.layers.Dense(4, name="layer10_0")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="fc_cls")(x))


def changed_by_training(model):
    """Paths of the weights that change in a few steps."""
    model.compile("sgd", "mse")
    before = {weight.path: np.array(weight) for weight in model.weights}
    random = np.random.default_rng(0)
    model.fit(random.normal(size=(8, 4)), random.normal(size=(8, 2)), verbose=0)
    return {
        weight.path for weight in model.weights if np.any(before[weight.path] != np.array(weight))
    }


def test_frozen_norms_keep_statistics_and_affine():
    model = network()
    names = freeze_batch_norm(model)
    assert names == ["conv1_bn", "layer1_0_bn1", "layer1_0_bn2", "layer2_0_conv1_bn"]
    changed = changed_by_training(model)
    assert not [path for path in changed if "bn" in path]
    assert "conv1_conv/kernel" in changed


def test_partial_batch_norm_leaves_the_first_in_training():
    model = network()
    names = freeze_batch_norm(model, except_first=True)
    assert names == ["layer1_0_bn1", "layer1_0_bn2", "layer2_0_conv1_bn"]
    moved = [path for path in changed_by_training(model) if "bn" in path]
    assert {path.split("/")[-2] for path in moved} == {"conv1_bn"}
    assert {path.split("/")[-1] for path in moved} >= {"beta", "moving_mean"}


def test_frozen_statistics_do_not_change_and_scales_learn(tmp_path):
    inputs = keras.Input((4,))
    x = keras.layers.Dense(4, name="conv1_conv")(inputs)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x)
    plain = keras.Model(inputs, keras.layers.Dense(2, name="fc_cls")(x))
    plain.get_layer("conv1_bn").moving_mean.assign(np.arange(4.0))
    model = hold_statistics(plain)
    batch = np.random.default_rng(1).normal(size=(8, 4)).astype("float32")
    expected = keras.ops.convert_to_numpy(plain(batch, training=False))
    assert np.abs(expected - plain(batch, training=True)).max() > 0.1
    np.testing.assert_allclose(model(batch, training=True), expected, rtol=1e-5)
    assert [v.path for v in model.weights] == [v.path for v in plain.weights]
    changed = {"/".join(path.split("/")[-2:]) for path in changed_by_training(model)}
    assert changed == {
        f"{layer}/{name}"
        for layer, names in (
            ("conv1_conv", ("kernel", "bias")),
            ("conv1_bn", ("gamma", "beta")),
            ("fc_cls", ("kernel", "bias")),
        )
        for name in names
    }
    model.save(tmp_path / "model.keras")
    saved = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(saved(batch), model(batch, training=True), rtol=1e-5)


def test_statistics_of_norms_inside_layers_cannot_be_frozen():
    with pytest.raises(ValueError, match="of 4 it does not call layer1_0_bn1, layer1_0_bn2"):
        hold_statistics(network())


@pytest.mark.parametrize(
    ("stages", "fixed", "free"),
    [
        (-1, (), ("conv1", "layer1", "layer2", "fc_cls")),
        (0, ("conv1",), ("layer1", "layer2", "fc_cls")),
        (1, ("conv1", "layer1_"), ("layer10", "layer2", "fc_cls")),
        (2, ("conv1", "layer1_", "layer2"), ("layer10", "fc_cls")),
    ],
)
def test_frozen_stages_do_not_change(stages, fixed, free):
    model = network()
    freeze_stages(model, stages)
    changed = changed_by_training(model)
    assert not [path for path in changed if fixed and path.startswith(fixed)]
    for name in free:
        assert [path for path in changed if path.startswith(name)], name


def test_missing_layers_are_an_error():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="fc")], name="plain")
    with pytest.raises(ValueError, match="model 'plain' has no BatchNormalization"):
        freeze_batch_norm(model)
    with pytest.raises(ValueError, match=r"model 'plain' has no layers named conv1_\*"):
        freeze_stages(model, 0)
    with pytest.raises(ValueError, match="stages must be -1 or more, received -2"):
        freeze_stages(model, -2)
