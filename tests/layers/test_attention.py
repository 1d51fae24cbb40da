import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video.layers import attention
from keras_video.layers.attention import AttentivePooling, TokenAttention, attend
from keras_video.layers.position_tables import rotary_table
from tests.applications.families import randomize

pytestmark = pytest.mark.unit

GRID = (2, 3, 2)


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def run(layer, x):
    return keras.ops.convert_to_numpy(layer(x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def by_hand(queries, keys, values):
    """Attention for one example and one head."""
    return softmax(queries @ keys.T / np.sqrt(queries.shape[-1])) @ values


def test_attention_in_parts_equals_attention(monkeypatch):
    queries, keys, values = (numbers(2, 11, 3, 4, seed=seed) for seed in range(3))
    whole = keras.ops.convert_to_numpy(attend(queries, keys, values))
    for example, head in itertools.product(range(2), range(3)):
        expected = by_hand(*(x[example, :, head] for x in (queries, keys, values)))
        np.testing.assert_allclose(whole[example, :, head], expected, atol=1e-5)
    monkeypatch.setattr(attention, "SCORES_IN_CACHE", 11 * 3 * 4)
    lengths, plain = [], attention._attend_at_once
    monkeypatch.setattr(
        attention, "_attend_at_once", lambda *x: lengths.append(x[0].shape[2]) or plain(*x)
    )
    parts = keras.ops.convert_to_numpy(attend(queries, keys, values))
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    assert lengths == [4, 4, 3]


def test_number_of_parts_for_scores():
    assert attention.number_of_parts(12 * 196 * 196) == 1
    assert attention.number_of_parts(12 * 1568 * 1568) == 8
    assert attention.number_of_parts(16 * 8192 * 8192) == 16
    assert attention.number_of_parts(64 * 8192 * 8192) == 32


def gradients(rounds=1, dtype="float32"):
    """Gradients of queries, keys and values of `rounds` chained attentions."""
    inputs = [tf.cast(numbers(2, 7, 3, 4, seed=seed), dtype) for seed in range(3)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        x, keys, values = inputs
        for _ in range(rounds):
            x = attend(x, keys, values)
        total = tf.reduce_sum(x**2)
    return [tf.cast(gradient, "float32").numpy() for gradient in tape.gradient(total, inputs)]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.1)])
@pytest.mark.parametrize("constant", ["SCORES_IN_CACHE", "SCORES_AT_ONCE"])
def test_gradients_of_attention_in_parts_are_exact(constant, dtype, tolerance, monkeypatch):
    whole = gradients(2)
    monkeypatch.setattr(attention, constant, 50)
    for part, expected in zip(gradients(2, dtype), whole, strict=True):
        np.testing.assert_allclose(part, expected, atol=tolerance * np.abs(expected).max())


def test_training_recomputes_the_scores_of_parts(monkeypatch):
    lengths, plain = [], attention._weights
    monkeypatch.setattr(
        attention, "_weights", lambda *x: lengths.append(x[0].shape[2]) or plain(*x)
    )
    gradients()
    assert lengths == [7]
    lengths.clear()
    monkeypatch.setattr(attention, "SCORES_IN_CACHE", 50)
    gradients()
    assert lengths == 2 * [3, 3, 1]


def test_keys_without_bias():
    layer = TokenAttention(2, key_bias=False)
    x = numbers(2, 5, 8)
    layer.build(x.shape)
    randomize(layer)
    assert layer.count_params() == 3 * 64 + 2 * 8 + 64 + 8
    queries, keys, values = layer.project(x)
    projected = x @ np.array(layer.qkv.kernel)
    np.testing.assert_allclose(np.reshape(keys, (2, 5, 8)), projected[..., 8:16], atol=1e-5)
    for projection, part, bias in ((queries, 0, layer.q_bias), (values, 2, layer.v_bias)):
        expected = projected[..., 8 * part : 8 * part + 8] + np.array(bias)
        np.testing.assert_allclose(np.reshape(projection, (2, 5, 8)), expected, atol=1e-5)


def test_rotary_positions_rotate_channel_pairs():
    """Every value follows the rule: three bands, tiled frequencies, neighboring pairs."""
    size, half = 20, 3
    cosines, sines = rotary_table(GRID, size)
    layer = TokenAttention(2, rotary_grid=GRID)
    x = numbers(1, 12, 2, size)
    rotated = keras.ops.convert_to_numpy(layer._rotate(x))
    for token, position in enumerate(itertools.product(*map(range, GRID))):
        for channel in range(size):
            band, inside = divmod(channel, 2 * half)
            if band > 2:
                np.testing.assert_array_equal(
                    rotated[:, token, :, channel], x[:, token, :, channel]
                )
                continue
            angle = position[band] * 10000 ** -((inside % half) / half)
            sign, pair = (1, channel - 1) if channel % 2 else (-1, channel + 1)
            expected = x[:, token, :, channel] * np.cos(angle)
            expected += sign * x[:, token, :, pair] * np.sin(angle)
            np.testing.assert_allclose(rotated[:, token, :, channel], expected, atol=1e-5)
    assert cosines.shape == sines.shape == (12, size)


def test_the_probe_normalizes_keys_and_values_only():
    layer = AttentivePooling(2)
    x = numbers(2, 5, 8)
    layer.build(x.shape)
    randomize(layer)
    normalized = run(layer.norm1, x)
    query = np.array(layer.query_tokens)[0]
    queries, keys, values = (
        run(layer.q_proj, query),
        run(layer.k_proj, normalized),
        run(layer.v_proj, normalized),
    )
    for example in range(2):
        heads = [
            by_hand(queries[:, part], keys[example][:, part], values[example][:, part])
            for part in (slice(0, 4), slice(4, 8))
        ]
        hidden = query + np.concatenate(heads, -1)
        inner = keras.ops.gelu(layer.mlp_fc1(layer.norm2(hidden)), approximate=False)
        expected = hidden + run(layer.mlp_fc2, inner)
        np.testing.assert_allclose(run(layer, x)[example], expected[0], atol=1e-5)


@pytest.mark.parametrize("kind", [TokenAttention, AttentivePooling])
def test_heads_must_divide_the_width(kind):
    with pytest.raises(ValueError, match="width of 8 can not be divided among 3 heads"):
        kind(3)(numbers(1, 4, 8))
