import keras
import numpy as np
import pytest

from keras_video.applications.slowfast import SlowFast
from tests import reference
from tests.applications.parity import assert_equals_the_original

SMALL = (16, 32, 32, 3)


def test_equals_the_original():
    layers = {
        f"{path}.{output}": f"{path}_{layer}"
        for path in ("slow_path", "fast_path")
        for output, layer in (
            ("conv1", "conv1_relu"),
            ("layer1", "layer1_2_relu"),
            ("layer4", "layer4_2_relu"),
        )
    }
    assert_equals_the_original("slowfast_r50_4x16", SlowFast, layers)


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({}, 34479288),
        ({"tau": 4, "alpha": 4, "fusion_kernel": 7}, 34565560),
        ({"tau": 4, "alpha": 4, "fusion_kernel": 7, "lateral_norm": True}, 34566488),
        ({"slow_depth": 101}, 62384312),
        ({"tau": 4, "alpha": 4, "fusion_kernel": 7, "classes": 174}, 34044630),
    ],
    ids=str,
)
def test_parameter_counts(arguments, count):
    assert reference.learned(SlowFast(input_shape=SMALL, **arguments)) == count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({"slow_depth": 152}, 84843704),
        (
            {"slow_depth": 101, "fast_depth": 101, "tau": 4, "alpha": 4, "fusion_kernel": 7},
            62912312,
        ),
    ],
    ids=str,
)
def test_parameter_counts_of_deep_networks(arguments, count):
    assert reference.learned(SlowFast(input_shape=SMALL, **arguments)) == count


def test_features_of_the_pathways():
    small = {"include_top": False, "input_shape": (16, 64, 64, 3)}
    slow, fast = SlowFast(**small, alpha=4).output_shape
    assert slow == (None, 2, 2, 2, 2048)
    assert fast == (None, 8, 2, 2, 256)
    assert SlowFast(**small, pooling="max").output_shape == (None, 2304)


def test_the_fast_pathway_is_dropped_in_training_only():
    model = SlowFast(input_shape=SMALL, classes=2, pathway_dropout=0.999, dropout=0)
    clips = np.random.default_rng(0).normal(size=(1, *SMALL)).astype("float32")
    fast = keras.Model(model.inputs, model.get_layer("fast_dropout").output)
    np.testing.assert_array_equal(fast(clips), clips)
    assert not np.any(fast(clips, training=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 3}, "alpha=3"),
        ({"input_shape": (12, 32, 32, 3)}, "12 frames"),
        ({"fast_depth": 18}, "depth=18"),
    ],
    ids=str,
)
def test_rejects(arguments, message):
    with pytest.raises(ValueError, match=message):
        SlowFast(**{"input_shape": SMALL, **arguments})


def test_temporal_kernels_may_differ_within_a_stage():
    model = SlowFast(
        input_shape=SMALL, slow_kernels=(1, 1, (3, 1), 3), fast_kernels=(3, 3, (3, 1, 1), 3)
    )

    def kernel_sizes(path):
        names = [f"{path}_path_layer3_{n}_conv1_conv" for n in range(6)]
        return [model.get_layer(name).kernel.shape[0] for name in names]

    assert kernel_sizes("slow") == [3, 1, 3, 1, 3, 1]
    assert kernel_sizes("fast") == [3, 1, 1, 3, 1, 1]


@pytest.mark.parametrize("kernels", [(1, 1, 3), (1, 1, 2, 3), (1, 1, (), 3)])
def test_invalid_kernels_are_rejected(kernels):
    with pytest.raises(ValueError, match="expected odd temporal kernel sizes for four stages"):
        SlowFast(input_shape=SMALL, slow_kernels=kernels)
