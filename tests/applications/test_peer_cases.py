"""Variants of the 2-D families against logits computed with the PyTorch originals.

`tests/fixtures/peer` holds what MMAction2 0.24.1 (with torchvision 0.28, mmcls 0.25 and timm 0.5.4
for the bodies it takes from them) gave for weights and inputs made by `tests/fixtures/rule.py`.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_video.applications import TRN, TSM, TSN, TANet
from keras_video.weights import load_state
from tests import reference
from tests.fixtures import rule

FOLDER = Path(__file__).parent.parent / "fixtures" / "peer"

CASES = {
    "tsm_r101_1x1x8": (TSM, 8, {"backbone": "resnet101"}),
    "tsm_nl_gaussian_r50_1x1x8": (TSM, 8, {"non_local": "gaussian"}),
    "tsm_nl_dot_product_r50_1x1x8": (TSM, 8, {"non_local": "dot_product"}),
    "tsm_temporal_pool_r50_1x1x8": (TSM, 8, {"temporal_pool": True}),
    "tanet_r50_1x1x16": (TANet, 16, {}),
    "trn_plain_r50_1x1x8": (TRN, 8, {"relation": "plain"}),
    "tsn_rn101_32x4d": (TSN, 3, {"backbone": "resnext101_32x4d"}),
    "tsn_dense161": (TSN, 3, {"backbone": "densenet161"}),
    "tsn_swin_base": (TSN, 3, {"backbone": "swin_base"}),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_the_original(name):
    constructor, frames, arguments = CASES[name]
    facts = json.loads((FOLDER / f"{name}.json").read_text())
    clips = rule.reference_input(facts["input_shape"], facts["input_seed"])
    clips = np.moveaxis(clips.reshape(-1, frames, *clips.shape[2:]), 2, -1)
    logits = np.array(facts["logits"], "float32")
    model = constructor(
        input_shape=clips.shape[1:],
        classes=logits.shape[-1],
        classifier_activation=None,
        **arguments,
    )
    state = rule.reference_weights(facts["manifest"], facts["weight_seed"])
    load_state(model, {**state, **{name: np.zeros(()) for name in facts["not_loaded"]}})
    reference.assert_logits_equal(model(clips), logits)
