"""Layers with a memory: chunks of a video give the same results as the whole clip."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_video.layers.causal import (
    CausalPadding,
    CumulativeMean,
    FramePositions,
    StreamStep,
    TemporalDepthwiseConv,
    TemporalMean,
)
from tests.layers.compare import close, gradients

pytestmark = pytest.mark.unit

FRAMES = 7
X = np.random.default_rng(0).normal(size=(2, FRAMES, 3, 2, 4)).astype("float32")
CHUNKS = [(1,) * 7, (7,), (3, 4), (1, 5, 1), (2, 2, 3)]
every_split = pytest.mark.parametrize("chunks", CHUNKS, ids=str)


def values(tensor):
    return ops.convert_to_numpy(tensor)


def initial_memory(layer, streams=2):
    shape = (streams, None, *X.shape[2:])
    return {
        name: ops.zeros((streams, *size), dtype)
        for name, (size, dtype) in layer.memory(shape).items()
    }


def advanced(layer, chunks, x=X):
    """The results of the chunks, and the memory after them."""
    memory, results, first = initial_memory(layer, len(x)), [], 0
    for count in chunks:
        y, memory = layer.advance(ops.convert_to_tensor(x[:, first : first + count]), memory)
        results.append(values(y))
        first += count
    return results, memory


@every_split
def test_padding_is_the_preceding_frames(chunks):
    layer = CausalPadding(3)
    whole = values(layer(X))
    np.testing.assert_array_equal(whole[:, :3], 0)
    np.testing.assert_array_equal(whole[:, 3:], X)
    results, memory = advanced(layer, chunks)
    first = 0
    for count, result in zip(chunks, results, strict=True):
        np.testing.assert_array_equal(result, whole[:, first : first + count + 3])
        first += count
    np.testing.assert_array_equal(values(memory["buffer"]), X[:, -3:])


@every_split
def test_cumulative_means(chunks):
    expected = np.stack([X[:, : n + 1].mean(1) for n in range(FRAMES)], 1)
    close(CumulativeMean()(X), expected, 1e-6)
    results, memory = advanced(CumulativeMean(), chunks)
    close(np.concatenate(results, 1), expected, 1e-6)
    assert values(memory["frame_count"]).tolist() == [FRAMES, FRAMES]
    close(memory["buffer"][:, 0], X.sum(1), 1e-6)


@every_split
@pytest.mark.parametrize("window", [None, 1, 2, 4, 20])
def test_the_mean_of_a_window(chunks, window):
    layer = TemporalMean(window)
    close(layer(X), X.mean(1), 1e-6)
    results, memory = advanced(layer, chunks)
    end = 0
    for count, result in zip(chunks, results, strict=True):
        end += count
        close(result, X[:, max(0, end - (window or end)) : end].mean(1), 1e-6)
    assert values(memory["frame_count"]).tolist() == [FRAMES, FRAMES]


@every_split
def test_frames_are_numbered(chunks):
    layer = FramePositions()
    layer.build(X.shape)
    np.testing.assert_array_equal(values(layer(X)), X)  # the scalar starts at 0
    layer.scale.assign(0.5)
    code = np.zeros((FRAMES, 4))
    for frame in range(FRAMES):
        angles = [frame / 10000 ** (2 * (i // 2) / 4) for i in range(4)]
        code[frame] = [*np.sin(angles[0::2]), *np.cos(angles[1::2])]
    expected = X + 0.5 * code[None, :, None, None]
    close(layer(X), expected, 1e-6)
    results, _ = advanced(layer, chunks)
    close(np.concatenate(results, 1), expected, 1e-6)


def test_streams_may_be_at_different_frames():
    layer = CumulativeMean()
    _, memory = advanced(layer, (3,))
    memory = {name: np.array(values(array)) for name, array in memory.items()}
    for array in memory.values():
        array[1] = 0
    y, _ = layer.advance(
        ops.convert_to_tensor(X[:, 3:4]),
        {name: ops.convert_to_tensor(array) for name, array in memory.items()},
    )
    close(y[0, 0], X[0, :4].mean(0), 1e-6)
    close(y[1, 0], X[1, 3], 1e-6)


def convolved(x, kernel):
    """The definition: every channel with its own kernel (k, 1, c, 1)."""
    kernel_size = kernel.shape[0]
    frames = x.shape[1] - kernel_size + 1
    return sum(x[:, k : k + frames] * kernel[k, 0, :, 0] for k in range(kernel_size))


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_temporal_convolution_and_its_gradients(kernel_size):
    layer = TemporalDepthwiseConv(kernel_size)
    kernel = np.random.default_rng(1).normal(size=(kernel_size, 1, 4, 1)).astype("float32")
    layer.build(X.shape)
    layer.kernel.assign(kernel)
    expected = convolved(X, kernel)
    close(layer(X), expected, 1e-6)
    assert layer.compute_output_shape(X.shape) == expected.shape

    def function(x, k):
        y, _ = layer.stateless_call([k], [], x)
        return y

    by_x, by_kernel = gradients(function, X, kernel)
    frames = expected.shape[1]
    kernel_gradients = [
        (2 * expected * X[:, k : k + frames]).sum((0, 1, 2, 3)) for k in range(kernel_size)
    ]
    close(by_kernel, np.stack(kernel_gradients)[:, None, :, None], 1e-5)
    input_gradients = np.zeros_like(X)
    for k in range(kernel_size):
        input_gradients[:, k : k + frames] += 2 * expected * kernel[k, 0, :, 0]
    close(by_x, input_gradients, 1e-5)


def test_a_step_in_half_precision_counts_in_full():
    step = StreamStep(CumulativeMean(dtype="mixed_float16", name="pool"))
    memory = [
        keras.Input(batch_shape=(2, 1, 3, 2, 4), dtype="float32"),
        keras.Input(batch_shape=(2,), dtype="int32"),
    ]
    y, *updated = step([keras.Input(batch_shape=(2, None, 3, 2, 4), dtype="float16"), *memory])
    assert step.name == "pool"
    assert [tensor.dtype for tensor in (y, *updated)] == ["float16", "float32", "int32"]
    many = np.float32(40_000)  # frames with value 10: the sum overflows half precision
    total = np.full((2, 1, 3, 2, 4), 10 * many, "float32")
    x = np.full((2, 1, 3, 2, 4), 10, "float16")
    y, total, count = step([x, total, np.full(2, 40_000, "int32")])
    np.testing.assert_allclose(values(y), 10)
    assert values(count).tolist() == [40_001] * 2


@pytest.mark.parametrize(
    "layer",
    [
        CausalPadding(2),
        TemporalMean(3),
        TemporalDepthwiseConv(3, use_bias=True),
        StreamStep(TemporalMean(3)),
    ],
)
def test_configs_round_trip(layer):
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(layer)
    assert keras.saving.serialize_keras_object(again) == config


def test_rejects_values_out_of_range():
    with pytest.raises(ValueError, match="frames=0"):
        CausalPadding(0)
    with pytest.raises(ValueError, match="window=0"):
        TemporalMean(0)
