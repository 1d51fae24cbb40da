import pytest

from keras_video.applications.slowonly import SlowOnly
from tests import reference
from tests.applications.parity import assert_equals_the_original

STAGES = {f"layer{s + 1}": f"layer{s + 1}_{n}_relu" for s, n in enumerate((2, 3, 5, 2))}


def test_equals_the_original():
    layers = {"conv1": "conv1_relu", "maxpool": "maxpool", **STAGES}
    assert_equals_the_original("slowonly_r50_4x16", SlowOnly, layers)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({}, 32454096),
        ({"depth": 101}, 60359120),
        ({"non_local": "embedded_gaussian"}, 39808464),
        ({"input_shape": (4, 32, 32, 2)}, 32450960),
        ({"classes": 174}, 31991022),
    ],
    ids=str,
)
def test_parameter_counts(arguments, count):
    assert reference.learned(SlowOnly(**{"input_shape": (4, 32, 32, 3), **arguments})) == count


def test_non_local_blocks_are_scaled_and_in_position():
    model = SlowOnly(input_shape=(4, 32, 32, 3), non_local="embedded_gaussian")
    attentions = [layer for layer in model.layers if layer.name.endswith("attention")]
    places = [layer.name.split("_non_local")[0] for layer in attentions]
    assert places == ["layer2_0", "layer2_2", "layer3_0", "layer3_2", "layer3_4"]
    assert all(layer.scaled for layer in attentions)


def test_frames_are_preserved():
    model = SlowOnly(include_top=False, input_shape=(4, 64, 64, 3))
    assert model.output_shape == (None, 4, 2, 2, 2048)


def test_rejects_a_depth_without_bottlenecks():
    with pytest.raises(ValueError, match="depth=18"):
        SlowOnly(input_shape=(4, 32, 32, 3), depth=18)


def test_without_the_first_pooling_features_are_twice_as_large():
    model = SlowOnly(include_top=False, input_shape=(4, 64, 64, 3), first_pool=False)
    assert model.output_shape == (None, 4, 4, 4, 2048)
    assert not any("maxpool" in layer.name for layer in model.layers)
