"""Learned parameters of every published size, equal to those of the originals."""

import pytest

from keras_video.applications import MViT, Swin3D, UniFormer, UniFormerV2
from tests import reference

SWIN3D = {"tiny": 28_158_070, "small": 49_816_678, "base": 88_048_984, "large": 196_953_916}


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(("version", "size", "widen_in"), MVIT)
def test_mvit(version, size, widen_in):
    """Published: the first two, and in millions 36.4 (or 36.5), 51.2 and 213."""
    model = MViT(version=version, size=size, widen_in=widen_in)
    assert reference.learned(model) == MVIT[version, size, widen_in]


UNIFORMER = {"small": 21_400_400, "base": 49_813_200}


@pytest.mark.parametrize("size", UNIFORMER)
def test_uniformer(size):
    """Published in millions: 21.4 and 49.8."""
    assert reference.learned(UniFormer(size=size, input_shape=(4, 32, 32, 3))) == UNIFORMER[size]


UNIFORMER_V2 = {
    ("base", 224): 114_552_208,
    ("large", 224): 354_099_600,
    ("large", 336): 354_427_280,
}


@pytest.mark.slow
@pytest.mark.parametrize(("size", "side"), UNIFORMER_V2)
def test_uniformer_v2(size, side):
    """Published in millions: 115, 354 and 354."""
    model = UniFormerV2(size=size, input_shape=(8, side, side, 3))
    assert reference.learned(model) == UNIFORMER_V2[size, side]
