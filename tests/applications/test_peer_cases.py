"""Variants of the families compared with logits computed with the PyTorch originals.

`tests/fixtures/peer` holds outputs of MMAction2 0.24.1 (with torchvision 0.28, mmcls 0.25 and timm
0.5.4 for the bodies it takes from them) for weights and inputs made by `tests/fixtures/rule.py`.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_video import zoo
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


# Rows of the zoo, built without changes.
ROWS = (
    "i3d_nl_dot_product",
    "i3d_nl_gaussian",
    "ircsn_r152",
    "r2plus1d_r34_32x2",
    "slowfast_prebn_r50_8x8",
    "slowfast_r101_r50_4x16",
    "slowonly_nl_r50_4x16",
    "slowonly_r101_8x8",
    "slowonly_r50_4x16_flow",
    "timesformer_jointST",
    "timesformer_spaceOnly",
    "tpn_tsm_r50_1x1x8",
    "x3d_m",
)


@pytest.mark.parametrize("name", CASES)
def test_equals_the_original(name):
    constructor, frames, arguments = CASES[name]
    facts = read_facts(name)
    model = constructor(
        input_shape=(frames, *clips_of(facts, frames).shape[2:]),
        classes=len(facts["logits"][0]),
        classifier_activation=None,
        **arguments,
    )
    assert_equals(model, facts, frames)


@pytest.mark.parametrize("name", ROWS)
def test_row_equals_the_original(name):
    facts = read_facts(name)
    row = zoo.row(facts["config"].rsplit("/", 1)[-1])
    clips = clips_of(facts, row.input_shape[0])
    model = row.model(input_shape=clips.shape[1:], classifier_activation=None)
    assert_equals(model, facts, row.input_shape[0])


def read_facts(name):
    return json.loads((FOLDER / f"{name}.json").read_text())


def clips_of(facts, frames):
    """The case's input, channels last, from (n, segments, c, h, w) or (n, views, c, t, h, w)."""
    clips = rule.reference_input(facts["input_shape"], facts["input_seed"])
    if clips.ndim == 6:
        return np.moveaxis(clips[:, 0], 1, -1)
    return np.moveaxis(clips.reshape(-1, frames, *clips.shape[2:]), 2, -1)


def assert_equals(model, facts, frames):
    state = rule.reference_weights(facts["manifest"], facts["weight_seed"])
    load_state(model, {**state, **{name: np.zeros(()) for name in facts["not_loaded"]}})
    logits = np.array(facts["logits"], "float32")
    reference.assert_logits_equal(model(clips_of(facts, frames)), logits)
