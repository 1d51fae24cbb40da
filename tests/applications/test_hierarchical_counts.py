"""Learned parameters of every published size, as the originals have them."""

import pytest

from keras_video.applications import MViT, Swin3D
from tests import reference

SWIN3D = {"tiny": 28_158_070, "small": 49_816_678, "base": 88_048_984, "large": 196_953_916}


@pytest.mark.parametrize("size", SWIN3D)
def test_swin3d(size):
    model = Swin3D(size=size, input_shape=(4, 32, 32, 3))
    assert reference.learned(model) == SWIN3D[size]


MVIT = {
    (1, "base", None): 36_610_672,
    (2, "small", None): 34_537_744,
    (2, "small", "mlp"): 36_475_120,
    (2, "base", None): 51_230_128,
    (2, "large", None): 213_390_112,
}


@pytest.mark.parametrize(("version", "size", "widen_in"), MVIT)
def test_mvit(version, size, widen_in):
    """Published are the first two, and in millions 36.4 (or 36.5), 51.2 and 213."""
    model = MViT(version=version, size=size, widen_in=widen_in)
    assert reference.learned(model) == MVIT[version, size, widen_in]
