import pytest

from keras_video.applications.c3d import C3D
from tests.applications.parity import assert_equals_the_original


@pytest.mark.slow(every_change=True)
def test_equals_the_original():
    layers = {
        "conv1a": "conv1a_relu",
        "pool1": "pool1",
        "conv2a": "conv2a_relu",
        "pool3": "pool3",
        "pool5": "pool5",
    }
    assert_equals_the_original("c3d_sports1m", C3D, layers)


def test_features_are_one_vector():
    small = {"include_top": False, "input_shape": (16, 32, 32, 3), "feature_dim": 8}
    assert C3D(**small).output_shape == C3D(**small, pooling="avg").output_shape == (None, 8)


def test_rejects_an_unknown_axis():
    with pytest.raises(ValueError, match="every size to be known"):
        C3D(input_shape=(None, 112, 112, 3))
