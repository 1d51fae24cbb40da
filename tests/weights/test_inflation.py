"""Video models initialized from image weights, compared with the original implementation."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.applications import I3D, SlowOnly
from keras_video.layers import convolution
from keras_video.weights import load_initial_weights

FIXTURE = Path(__file__).parent.parent / "fixtures" / "data" / "inflation.json"
RECORDS = json.loads(FIXTURE.read_text())["records"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record["arguments"]["kernel"]))
def test_kernels_are_inflated_as_published(record):
    image = np.array(record["input"]["weight_2d"], "float32")
    expected = np.array(record["output"]["weight_3d"], "float32")
    filters, channels = expected.shape[:2]
    inputs = keras.Input((4, 8, 8, channels))
    x = convolution(inputs, filters, expected.shape[2:], name="conv1_conv")
    model = keras.Model(inputs, x)
    load_initial_weights(model, {"backbone.conv1.conv.weight": image})
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv1_conv").kernel)
    np.testing.assert_allclose(np.moveaxis(kernel, (-1, -2), (0, 1)), expected, rtol=1e-6)


def image_checkpoint(blocks=(3, 4, 6, 3)):
    """The body of a torchvision ResNet-50, with random values."""
    rng = np.random.default_rng(0)
    state = {}

    def add(conv, norm, filters, channels, size):
        state[f"{conv}.weight"] = rng.normal(0, 0.1, (filters, channels, size, size))
        for name in ("weight", "bias", "running_mean"):
            state[f"{norm}.{name}"] = rng.normal(size=filters)
        state[f"{norm}.running_var"] = rng.uniform(0.5, 1.5, filters)

    add("conv1", "bn1", 64, 3, 7)
    channels = 64
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        for index in range(count):
            name = f"layer{stage + 1}.{index}"
            add(f"{name}.conv1", f"{name}.bn1", width, channels, 1)
            add(f"{name}.conv2", f"{name}.bn2", width, width, 3)
            add(f"{name}.conv3", f"{name}.bn3", 4 * width, width, 1)
            if index == 0:
                shortcut = f"{name}.downsample"
                add(f"{shortcut}.0", f"{shortcut}.1", 4 * width, channels, 1)
            channels = 4 * width
    state["fc.weight"], state["fc.bias"] = np.zeros((1000, 2048)), np.zeros(1000)
    return {name: value.astype("float32") for name, value in state.items()}


def kernel(model, layer):
    return keras.ops.convert_to_numpy(model.get_layer(layer).kernel)


def test_an_image_network_initializes_i3d():
    state = image_checkpoint()
    model = I3D(input_shape=(8, 32, 32, 3), non_local="gaussian", classes=2)
    fresh = load_initial_weights(model, state)
    assert all("non_local" in name or name.startswith("fc_cls") for name in fresh)
    np.testing.assert_allclose(
        kernel(model, "conv1_conv").sum(0),
        state["conv1.weight"].transpose(2, 3, 1, 0),
        atol=1e-6,
    )
    one_tap = kernel(model, "layer2_1_conv1_conv")
    np.testing.assert_array_equal(one_tap[0, 0, 0], state["layer2.1.conv1.weight"][..., 0, 0].T)


def test_a_flow_stem_gets_the_mean_over_color_channels():
    state = image_checkpoint()
    model = SlowOnly(input_shape=(4, 32, 32, 2), classes=2)
    load_initial_weights(model, state)
    stem = kernel(model, "conv1_conv")  # (1, 7, 7, 2, 64)
    mean = state["conv1.weight"].mean(1).transpose(1, 2, 0)
    for channel in range(2):
        np.testing.assert_allclose(stem[0, :, :, channel], mean, rtol=1e-5, atol=1e-7)
