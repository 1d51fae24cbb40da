import keras
import numpy as np
import pytest
from keras import ops

from keras_video.layers.drop_path import drop_path
from keras_video.layers.space_time_attention import SelfAttention, temporal_attention
from keras_video.layers.tokens import (
    FrameTokens,
    JoinFrames,
    PadClassToken,
    PatchesOnly,
    ShareClassToken,
)
from tests.layers.compare import close

pytestmark = pytest.mark.unit


def expected_attention(x, layer):
    """The paper's formula, head by head, for `(..., positions, width)`."""
    qkv_kernel, qkv_bias, out_kernel, out_bias = layer.get_weights()
    queries, keys, values = np.split(x @ qkv_kernel + qkv_bias, 3, axis=-1)
    size = x.shape[-1] // layer.heads
    heads = []
    for head in range(layer.heads):
        q, k, v = (a[..., head * size : (head + 1) * size] for a in (queries, keys, values))
        weights = np.exp(q @ k.swapaxes(-1, -2) / np.sqrt(size))
        heads.append(weights / weights.sum(-1, keepdims=True) @ v)
    return np.concatenate(heads, axis=-1) @ out_kernel + out_bias


def random(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize(("shape", "axis"), [((2, 7, 8), 1), ((2, 3, 5, 8), 1), ((2, 3, 5, 8), 2)])
def test_attention_equals_the_formula_of_the_paper(shape, axis):
    keras.utils.set_random_seed(0)
    layer, x = SelfAttention(heads=2, axis=axis), random(*shape)
    layer.build(x.shape)
    for variable in layer.weights:
        variable.assign(np.random.default_rng(1).normal(size=variable.shape))
    theirs = expected_attention(np.moveaxis(x, axis, -2), layer)
    close(layer(x), np.moveaxis(theirs, -2, axis), 1e-5)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="10 .* 4 heads"):
        SelfAttention(heads=4)(random(1, 2, 10))


def test_tokens_by_frame_and_back():
    x = random(2, 1 + 3 * 4, 5)
    by_frame = ops.convert_to_numpy(FrameTokens(3)(x))
    assert by_frame.shape == FrameTokens(3).compute_output_shape(x.shape) == (2, 3, 5, 5)
    np.testing.assert_array_equal(by_frame[:, 2, 0], x[:, 0])
    np.testing.assert_array_equal(by_frame[:, 1, 3], x[:, 1 + 4 + 2])
    close(JoinFrames()(by_frame), x, 1e-6)


def test_joined_class_token_is_the_mean_over_frames():
    by_frame = random(2, 3, 5, 4)
    joined = ops.convert_to_numpy(JoinFrames()(by_frame))
    close(joined[:, 0], by_frame[:, :, 0].mean(axis=1), 1e-6)


def test_class_tokens_are_shared_or_left_out():
    by_frame = random(2, 3, 5, 4)
    alone = ops.convert_to_numpy(PatchesOnly()(by_frame))
    assert not alone[:, :, 0].any()
    shared = ops.convert_to_numpy(ShareClassToken()(by_frame))
    mean = by_frame[:, :, :1].mean(axis=1, keepdims=True)
    close(shared[:, :, :1], np.repeat(mean, 3, axis=1), 1e-6)
    for changed in (alone, shared):
        np.testing.assert_array_equal(changed[:, :, 1:], by_frame[:, :, 1:])


def test_patches_as_tokens():
    patches = random(2, 3, 4, 5)
    tokens = ops.convert_to_numpy(PadClassToken()(patches))
    assert not tokens[:, 0].any()
    np.testing.assert_array_equal(tokens[:, 1:], patches.reshape(2, 12, 5))


def test_initial_attention_over_time_changes_nothing():
    inputs = keras.Input((3, 1 + 4, 8))
    model = keras.Model(inputs, temporal_attention(inputs, 2, drop_rate=0.1, name="first"))
    x = random(2, 3, 5, 8)
    np.testing.assert_array_equal(ops.convert_to_numpy(model(x)), x)


def test_attention_over_time_leaves_the_class_token_unchanged():
    inputs = keras.Input((3, 1 + 4, 8))
    model = keras.Model(inputs, temporal_attention(inputs, 2, drop_rate=0, name="first"))
    model.get_layer("first_temporal_fc").kernel.assign(random(8, 8))
    x = random(2, 3, 5, 8)
    output = ops.convert_to_numpy(model(x))
    np.testing.assert_array_equal(output[:, :, 0], x[:, :, 0])
    assert np.abs(output - x)[:, :, 1:].min() > 0


def test_drop_path_drops_whole_examples():
    inputs = keras.Input((4, 5))
    model = keras.Model(inputs, drop_path(inputs, 0.25, name="drop"))
    x = np.ones((400, 4, 5), "float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(model(x)), x)
    dropped = ops.convert_to_numpy(model(x, training=True))
    assert (dropped == dropped[:, :1, :1]).all()
    kept = dropped[:, 0, 0]
    np.testing.assert_allclose(np.unique(kept), [0, 4 / 3], rtol=1e-6)
    assert 0.15 < (kept == 0).mean() < 0.35


def test_drop_path_along_further_axes():
    inputs = keras.Input((6, 7, 3))
    model = keras.Model(inputs, drop_path(inputs, 0.5, axes=(0, 2), name="drop"))
    dropped = ops.convert_to_numpy(model(np.ones((9, 6, 7, 3), "float32"), training=True))
    assert (dropped == dropped[:, :1, :, :1]).all()
    assert len(np.unique(dropped[:, 0, :, 0], axis=1).T) > 1


def test_no_drop_path_adds_no_layer():
    inputs = keras.Input((4,))
    assert drop_path(inputs, 0.0, name="drop") is inputs
