import pytest

from keras_video.applications.x3d import X3D
from keras_video.layers.squeeze_excite import rounded_width
from tests import reference
from tests.applications.parity import assert_equals_the_original


def test_equals_the_original():
    stages = {f"layer{s + 1}": f"layer{s + 1}_{n}_relu" for s, n in enumerate((2, 4, 10, 6))}
    layers = {
        "conv1_s": "conv1_s_conv",
        "conv1_t": "conv1_t_relu",
        "layer1.0.se_module": "layer1_0_se_module_scale",
        "conv5": "conv5_relu",
    }
    assert_equals_the_original("x3d_s", X3D, layers | stages)


def test_the_large_network_has_the_papers_size():
    model = X3D(gamma_d=5.0, input_shape=(4, 32, 32, 3))
    assert 6.0e6 < reference.learned(model) < 6.2e6  # 6.1 million in the paper's table 4


def test_every_other_block_is_gated():
    names = {layer.name for layer in X3D(input_shape=(4, 32, 32, 3)).layers}
    gated = {name.split("_se_")[0] for name in names if name.endswith("se_module_fc1")}
    blocks = ((0, 2), (0, 2, 4), (0, 2, 4, 6, 8, 10), (0, 2, 4, 6))
    assert gated == {f"layer{s + 1}_{i}" for s, indices in enumerate(blocks) for i in indices}


@pytest.mark.parametrize(
    ("width", "rounded"), [(3.4, 8), (8, 8), (26, 24), (27, 32), (12.1, 16), (60, 64)]
)
def test_widths_are_multiples_of_eight(width, rounded):
    assert rounded_width(width) == rounded
