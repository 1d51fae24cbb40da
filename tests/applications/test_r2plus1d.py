import pytest

from keras_video.applications.r2plus1d import R2Plus1D
from tests import reference
from tests.applications.parity import assert_equals_the_original


def test_equals_the_original():
    stages = {f"layer{s + 1}": f"layer{s + 1}_{n}_relu" for s, n in enumerate((2, 3, 5, 2))}
    assert_equals_the_original("r2plus1d_r34", R2Plus1D, {"conv1": "conv1_relu", **stages})


def test_depth_18_has_the_papers_size():
    model = R2Plus1D(depth=18, input_shape=(8, 32, 32, 3))
    assert 31e6 < reference.learned(model) < 34e6


def test_refuses_a_depth_with_bottlenecks():
    with pytest.raises(ValueError, match="depth=50"):
        R2Plus1D(depth=50)
