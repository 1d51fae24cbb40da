"""Tests of MoViNet's blocks."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_video.layers import mobile_video
from keras_video.layers.mobile_video import (
    Scale,
    SpatialAveragePooling,
    mobile_block,
    rounded_hard_sigmoid,
)
from tests.layers.compare import close

pytestmark = pytest.mark.unit


def pooled(x):
    """Means over windows of 3 with stride 2, by the definition of "same" padding."""
    n, height, width, channels = x.shape
    out = np.zeros((n, -(-height // 2), -(-width // 2), channels))
    starts = [-(max((length - 1) // 2 * 2 + 3 - length, 0) // 2) for length in (height, width)]
    for row in range(out.shape[1]):
        for column in range(out.shape[2]):
            top, left = starts[0] + 2 * row, starts[1] + 2 * column
            window = x[:, max(top, 0) : top + 3, max(left, 0) : left + 3]
            out[:, row, column] = window.mean((1, 2))
    return out


@pytest.mark.parametrize("size", [(6, 7), (7, 6), (5, 5), (8, 4), (1, 2)])
def test_padded_pixels_do_not_count(size):
    x = np.random.default_rng(0).normal(size=(3, *size, 2)).astype("float32")
    layer = SpatialAveragePooling(3, 2)
    close(layer(x), pooled(x), 1e-6)
    assert layer.compute_output_shape(x.shape) == pooled(x).shape
    clip = x.reshape(1, 3, *size, 2)
    close(layer(clip), pooled(x)[None], 1e-6)


def test_the_gate_has_the_published_constant():
    x = np.array([-4.0, -1.0, 0.0, 2.0, 5.0], "float32")
    expected = np.clip(x + 3, 0, 6) * 0.16667
    np.testing.assert_allclose(ops.convert_to_numpy(rounded_hard_sigmoid(x)), expected, rtol=1e-6)


def test_a_scale_starts_at_zero():
    layer = Scale()
    assert not ops.convert_to_numpy(layer(np.ones((2, 3), "float32"))).any()
    layer.scale.assign(0.5)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(np.ones((2, 3), "float32"))), 0.5)


@pytest.mark.parametrize("stream", [False, True])
def test_a_branch_is_dropped_for_all_frames_of_a_clip(stream, monkeypatch):
    monkeypatch.setattr(mobile_video, "MOMENTUM", 1.0)
    keras.utils.set_random_seed(0)
    clip = keras.Input((4, 8, 8, 6))
    x = keras.ops.reshape(clip, (-1, 8, 8, 6)) if stream else clip
    y = mobile_block(x, 6, 12, (3, 3, 3), 1, clip=clip if stream else None, rate=0.5, name="block")
    model = keras.Model(clip, y)
    model.get_layer("block_rezero").scale.assign(1.0)
    noise = np.random.default_rng(0).normal(size=(16, 4, 8, 8, 6)).astype("float32")
    branch = ops.convert_to_numpy(model(noise, training=True)).reshape(noise.shape) - noise
    dropped = np.abs(branch).max((2, 3, 4)) < 1e-6  # (clips, frames)
    assert (dropped == dropped[:, :1]).all()
    assert 0 < dropped[:, 0].sum() < 16
