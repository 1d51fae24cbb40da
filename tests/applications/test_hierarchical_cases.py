"""Transformers of stages against the logits their originals compute."""

import pytest

import keras_video
from keras_video.applications import Swin3D
from tests import modern_reference

CASES = {
    "tv_swin3d_t_small": (
        Swin3D,
        {"size": "tiny"},
        {
            "patch_embed": "patch_embed_norm",
            "features.0.1": "layers_0_blocks_1_add2",
            "features.5": "layers_2_downsample_reduction",
            "norm": "norm3",
        },
    ),
    "tv_swin3d_t": (Swin3D, {"size": "tiny"}, {"features.6": "layers_3_blocks_1_add2"}),
    "mm_swin3d_tiny": (
        Swin3D,
        {"size": "tiny"},
        {"backbone.layers.3": "layers_3_blocks_1_add2"},
    ),
}
LARGE = ("tv_swin3d_t",)


def cases():
    return [pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else []) for n in CASES]


@pytest.mark.parametrize("name", cases())
def test_equals_the_original(name, tmp_path):
    constructor, arguments, taps = CASES[name]
    modern_reference.assert_equals_the_original(
        name, constructor, tmp_path, taps=taps, **arguments
    )


@pytest.mark.parametrize("name", cases())
def test_a_file_is_opened_by_its_names_and_shapes(name, tmp_path):
    case = modern_reference.load(name)
    clips = case.clips()
    model = keras_video.load(
        case.write(tmp_path), input_shape=clips.shape[1:], classifier_activation=None
    )
    modern_reference.assert_computes(model, case, clips, {})
