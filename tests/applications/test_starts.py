"""Initial weights have the original's spread, for every tensor without pretrained weights.

The table `fixtures/starts.json.gz` has, per row, `{tensor: [mean, std]}` of the original's model as
its training builds it. Pretrained files were replaced by constants, and tensors that had this
constant afterwards are left out. The mean is that of constant tensors, 0 for random ones. Not in
the table: running statistics, tensors that a TimeSformer loads from an image transformer, and
biases of a single number, which have no deviation.
"""

import gzip
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.weights.loading import variables_by_key
from tests.reference import mmaction2_keys

TABLE_FILE = Path(__file__).parents[1] / "fixtures" / "starts.json.gz"
TABLE = json.loads(gzip.decompress(TABLE_FILE.read_bytes()))
QUICK = (
    "c3d_sports1m_16x1x1_45e_ucf101_rgb",
    "tanet_r50_1x1x8_50e_sthv1_rgb",
    "tin_r50_1x1x8_40e_sthv1_rgb",
    "tpn_tsm_r50_1x1x8_150e_sthv1_rgb",
    "trn_r50_1x1x8_50e_sthv1_rgb",
    "tsm_nl_dot_product_r50_1x1x8_50e_kinetics400_rgb",
)
NAMES = [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in sorted(TABLE)
]


def mismatch(values, mean, deviation):
    """The mismatch of the values of a tensor, or `None`."""
    received = values.std()
    if deviation == 0:
        equal = received == 0 and abs(values.mean() - mean) < 1e-4
        return None if equal else f"mean {values.mean():.4g}, expected {mean}, all alike"
    # Both are random: five times the spread of the ratio of two such deviations, plus rounding.
    allowed = 5 * values.size**-0.5 + 1e-3
    if abs(np.log(received / deviation)) > allowed:
        return f"deviation {received:.4g}, expected {deviation:.4g}"
    return None


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_initial_weights_have_the_originals_spread(name):
    row = zoo.row(name)
    keras.utils.set_random_seed(1)
    extra = {"auxiliary": True} if row.constructor == "TPN" else {}
    variables = variables_by_key(row.model(weights=None, **extra))
    wrong = {}
    for tensor, expected in TABLE[name].items():
        key = next(key for key in mmaction2_keys(tensor) if key in variables)
        difference = mismatch(
            keras.ops.convert_to_numpy(variables[key]).astype("float64"), *expected
        )
        if difference:
            wrong[tensor] = difference
    assert not wrong
