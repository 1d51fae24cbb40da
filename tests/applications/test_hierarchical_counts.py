"""Learned parameters of every published size, as the originals have them."""

import pytest

from keras_video.applications import Swin3D
from tests import reference

SWIN3D = {"tiny": 28_158_070, "small": 49_816_678, "base": 88_048_984, "large": 196_953_916}


@pytest.mark.parametrize("size", SWIN3D)
def test_swin3d(size):
    model = Swin3D(size=size, input_shape=(4, 32, 32, 3))
    assert reference.learned(model) == SWIN3D[size]
