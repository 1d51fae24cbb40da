import keras
import numpy as np
import pytest

from keras_video.layers import conv_bn
from keras_video.weights import WeightsError, load_initial_weights, load_state
from keras_video.weights.dialects import recognize
from keras_video.weights.name_mapping import variable_keys

pytestmark = pytest.mark.unit


def tiny_model(classes=2, frames=None):
    shape = (8, 8, 3) if frames is None else (frames, 8, 8, 3)
    inputs = keras.Input(shape)
    kernel = 3 if frames is None else (3, 3, 3)
    x = conv_bn(inputs, 4, kernel, name="conv1")
    pool = keras.layers.GlobalAveragePooling2D if frames is None else None
    x = (pool or keras.layers.GlobalAveragePooling3D)()(x)
    return keras.Model(inputs, keras.layers.Dense(classes, name="fc_cls")(x), name="tiny")


def tiny_state(classes=2):
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape).astype("float32")  # noqa: E731
    return {
        "backbone.conv1.conv.weight": draw(4, 3, 3, 3),
        "backbone.conv1.bn.weight": draw(4),
        "backbone.conv1.bn.bias": draw(4),
        "backbone.conv1.bn.running_mean": draw(4),
        "backbone.conv1.bn.running_var": draw(4) ** 2,
        "backbone.conv1.bn.num_batches_tracked": np.array(7),
        "cls_head.fc_cls.weight": draw(classes, 4),
        "cls_head.fc_cls.bias": draw(classes),
    }


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("backbone.layer1.0.conv1.conv.weight", "layer1_0_conv1_conv/kernel"),
        ("module.backbone.layer1.0.conv1.bn.running_var", "layer1_0_conv1_bn/moving_variance"),
        ("layer1.0.bn2.weight", "layer1_0_conv2_bn/gamma"),
        ("bn1.bias", "conv1_bn/beta"),
        ("layer3.0.downsample.0.weight", "layer3_0_downsample_conv/kernel"),
        ("layer3.0.downsample.1.running_mean", "layer3_0_downsample_bn/moving_mean"),
        ("cls_head.fc_cls.bias", "fc_cls/bias"),
        ("backbone.layer2.1.block.conv1.conv.net.weight", "layer2_1_conv1_conv/kernel"),
    ],
)
def test_dialects_name_the_same_variable(name, key):
    (prepared,) = (dialect := recognize({name: np.zeros(1)})).prepare({name: np.zeros(1)})
    assert key in variable_keys(dialect.rename(prepared))


def test_every_tensor_is_assigned_to_its_variable():
    model, state = tiny_model(), tiny_state()
    load_state(model, state)
    kernel = model.get_layer("conv1_conv").kernel
    expected = state["backbone.conv1.conv.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(kernel), expected)
    norm = model.get_layer("conv1_bn")
    for name, variable in [
        ("weight", norm.gamma),
        ("bias", norm.beta),
        ("running_mean", norm.moving_mean),
        ("running_var", norm.moving_variance),
    ]:
        value = keras.ops.convert_to_numpy(variable)
        np.testing.assert_array_equal(value, state[f"backbone.conv1.bn.{name}"])
    dense = model.get_layer("fc_cls")
    value = keras.ops.convert_to_numpy(dense.kernel)
    np.testing.assert_array_equal(value, state["cls_head.fc_cls.weight"].T)


def test_a_mismatch_lists_all_differences_and_changes_nothing():
    model, state = tiny_model(), tiny_state()
    before = model.get_weights()
    del state["backbone.conv1.bn.bias"]
    state["backbone.conv9.conv.weight"] = np.zeros((1, 1, 1, 1), "float32")
    state["cls_head.fc_cls.bias"] = np.zeros(5, "float32")
    with pytest.raises(WeightsError) as error:
        load_state(model, state)
    message = str(error.value)
    assert "1 missing in the checkpoint: conv1_bn/beta" in message
    assert "1 unexpected in the checkpoint: backbone.conv9.conv.weight" in message
    assert "cls_head.fc_cls.bias: (5,)" in message
    assert "fc_cls/bias is (2,)" in message
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_without_head_the_classifier_is_unchanged():
    model, state = tiny_model(classes=7), tiny_state(classes=2)
    before = keras.ops.convert_to_numpy(model.get_layer("fc_cls").kernel)
    load_state(model, state, head=False)
    after = keras.ops.convert_to_numpy(model.get_layer("fc_cls").kernel)
    np.testing.assert_array_equal(before, after)
    gamma = keras.ops.convert_to_numpy(model.get_layer("conv1_bn").gamma)
    np.testing.assert_array_equal(gamma, state["backbone.conv1.bn.weight"])


def image_state():
    """`tiny_state` under torchvision's names."""
    state = tiny_state()
    names = {
        "backbone.conv1.conv.": "conv1.",
        "backbone.conv1.bn.": "bn1.",
        "cls_head.fc_cls": "fc",
    }
    renamed = {}
    for name, value in state.items():
        for old, new in names.items():
            name = name.replace(old, new)
        renamed[name] = value
    return renamed


def test_an_image_classifier_initializes_a_clip_model():
    model, state = tiny_model(frames=4), image_state()
    fresh = load_initial_weights(model, state)
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv1_conv").kernel)
    flat = state["conv1.weight"].transpose(2, 3, 1, 0)
    for tap in kernel:
        np.testing.assert_allclose(tap, flat / 3, rtol=1e-6)
    assert sorted(fresh) == ["fc_cls/bias", "fc_cls/kernel"]


def test_a_flow_stem_gets_the_mean_over_color_channels():
    inputs = keras.Input((8, 8, 10))
    outputs = conv_bn(inputs, 4, 3, name="conv1")
    model, state = keras.Model(inputs, outputs), image_state()
    load_initial_weights(model, state)
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv1_conv").kernel)
    mean = state["conv1.weight"].transpose(2, 3, 1, 0).mean(axis=2)
    assert kernel.shape == (3, 3, 10, 4)
    for channel in range(10):
        np.testing.assert_allclose(kernel[:, :, channel], mean, rtol=1e-6)


def test_mismatched_initial_weights_are_rejected():
    state = image_state()
    state["layer9.0.conv1.weight"] = np.zeros((4, 4, 1, 1), "float32")
    with pytest.raises(WeightsError, match="layer9.0.conv1.weight"):
        load_initial_weights(tiny_model(frames=4), state)


def test_control_characters_in_names_are_not_printed():
    model, state = tiny_model(), tiny_state()
    state["backbone.conv9.conv.\x1b[2Jweight\u202e"] = np.zeros((1, 1, 1, 1), "float32")
    with pytest.raises(WeightsError) as error:
        load_state(model, state)
    assert str(error.value).replace("\n", "").isprintable()
    assert r"backbone.conv9.conv.\x1b[2Jweight\u202e" in str(error.value)
