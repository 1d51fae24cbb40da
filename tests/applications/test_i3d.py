import pytest

from keras_video.applications.i3d import I3D
from tests import reference
from tests.applications.parity import assert_equals_the_original

STAGES = {f"layer{s + 1}": f"layer{s + 1}_{n}_relu" for s, n in enumerate((2, 3, 5, 2))}


def test_equals_the_original():
    layers = {"conv1": "conv1_relu", "maxpool": "maxpool", **STAGES}
    assert_equals_the_original("i3d_r50", I3D, layers)


def test_non_local_equals_the_original():
    layers = {"conv1": "conv1_relu", "layer1": "layer1_2_relu"}
    layers["layer2.1.non_local_block"] = "layer2_1_non_local_block_add"
    layers |= {"layer3": "layer3_5_non_local_block_add", "layer4": "layer4_2_relu"}
    name = "i3d_nl_embedded_gaussian_r50"
    assert_equals_the_original(name, I3D, layers, non_local="embedded_gaussian")


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({}, 28043472),
        ({"non_local": "embedded_gaussian"}, 35397840),
        ({"non_local": "gaussian"}, 31723728),
        ({"non_local": "dot_product"}, 35397840),
        ({"heavy": True}, 33024208),
    ],
    ids=str,
)
def test_parameter_counts(arguments, count):
    assert reference.learned(I3D(input_shape=(8, 32, 32, 3), **arguments)) == count


def test_frames_of_the_features():
    arguments = {"include_top": False, "input_shape": (16, 64, 64, 3)}
    assert I3D(**arguments).output_shape == (None, 2, 2, 2, 2048)
    assert I3D(heavy=True, **arguments).output_shape == (None, 8, 2, 2, 2048)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"depth": 34}, "depth=34"), ({"non_local": "cosine"}, "cosine")],
    ids=str,
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        I3D(input_shape=(8, 32, 32, 3), **arguments)


def test_stem_and_first_pooling_may_keep_all_frames():
    kept = I3D(input_shape=(8, 32, 32, 3), include_top=False, temporal_strides=(1, 1))
    assert kept.output_shape == (None, 4, 1, 1, 2048)
    halved = I3D(input_shape=(8, 32, 32, 3), include_top=False, temporal_strides=(2, 1))
    assert halved.output_shape == (None, 2, 1, 1, 2048)
    assert reference.learned(kept) == reference.learned(halved)
    for wrong in ((3, 1), (1,), (1, 2, 1)):
        with pytest.raises(ValueError, match="expected two numbers, each 1 or 2"):
            I3D(input_shape=(8, 32, 32, 3), temporal_strides=wrong)


def test_non_local_blocks_take_arguments():
    options = {"mode": "embedded_gaussian", "pool_first": True, "output_bias": True}
    model = I3D(input_shape=(8, 32, 32, 3), non_local=options, temporal_strides=(1, 1))
    # One more bias per channel of each of the five blocks.
    assert reference.learned(model) == 35397840 + 2 * 512 + 3 * 1024
    with pytest.raises(ValueError, match="'linear'"):
        I3D(input_shape=(8, 32, 32, 3), non_local={"mode": "linear"})
