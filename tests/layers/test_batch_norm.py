"""The batch norm of all families tracks the unbiased variance, and otherwise matches Keras'."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from keras_video.layers import BatchNormalization
from keras_video.layers.freezing import batch_norms
from tests.applications import families
from tests.layers.batch_norm_run import CLIPS
from tests.layers.compare import close

SCRIPT = Path(__file__).with_name("batch_norm_run.py")
BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


def unbiased(values):
    return values.var(axis=tuple(range(values.ndim - 1)), ddof=1)


EXPECTED = 0.9 * (0.9 + 0.1 * unbiased(CLIPS[:4])) + 0.1 * unbiased(CLIPS[4:])


@pytest.fixture(scope="module", params=BACKENDS)
def two_steps(request, tmp_path_factory):
    """Moving variances after two steps on each backend."""
    file = tmp_path_factory.mktemp("norms") / f"{request.param}.npz"
    process = subprocess.run(
        [sys.executable, str(SCRIPT), str(file)],
        env={
            **os.environ,
            "KERAS_BACKEND": request.param,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(SCRIPT.parents[2]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    with np.load(file) as arrays:
        return dict(arrays)


def test_tracks_the_unbiased_variance_on_every_backend(two_steps):
    np.testing.assert_allclose(two_steps["plain"], EXPECTED, rtol=1e-5)
    np.testing.assert_array_equal(two_steps["held"], two_steps["plain"])
    precise = (unbiased(CLIPS[:2]) + unbiased(CLIPS[2:])) / 2
    np.testing.assert_allclose(two_steps["precise"], precise, rtol=1e-5)


def test_replicas_share_statistics(two_steps):
    if "shared" not in two_steps:
        pytest.skip("only TensorFlow synchronizes")
    np.testing.assert_allclose(two_steps["shared"], EXPECTED, rtol=1e-5)


@pytest.mark.parametrize("shape", [(6, 4), (3, 5, 4), (2, 4, 3, 5), (2, 3, 2, 4, 5)])
@pytest.mark.parametrize("arguments", [{}, {"scale": False}, {"center": False}, {"axis": 1}])
def test_otherwise_matches_keras(shape, arguments):
    x = np.random.default_rng(1).normal(2, 3, shape).astype("float32")
    ours, plain = BatchNormalization(**arguments), layers.BatchNormalization(**arguments)
    for layer in (ours, plain):
        layer.build(shape)
    close(ours(x, training=True), plain(x, training=True), 1e-6)
    close(ours.moving_mean, plain.moving_mean, 1e-6)
    count = x.size / x.shape[arguments.get("axis", -1)]
    batch = (plain.moving_variance - 0.99) * count / (count - 1)
    close(ours.moving_variance, 0.99 + batch, 1e-5)
    plain.moving_variance.assign(ours.moving_variance)
    close(ours(x), plain(x), 1e-6)
    ours.trainable = False
    before = keras.ops.convert_to_numpy(ours.moving_variance)
    close(ours(x, training=True), plain(x), 1e-6)
    close(ours.moving_variance, before, 0)


@pytest.mark.parametrize(
    ("arguments", "channels", "fused"),
    [
        ({}, 8, True),
        ({}, 54, False),  # where oneDNN's is slow
        ({"axis": 1}, 8, False),
        ({"synchronized": True}, 8, False),
    ],
)
def test_training_takes_tensorflows_fused_kernel(arguments, channels, fused):
    shape = (None, 2, 3, 4, channels)
    norm = BatchNormalization(**arguments)
    norm.build(shape)
    step = tf.function(lambda x: norm(x, training=True)).get_concrete_function(tf.TensorSpec(shape))
    assert step.structured_outputs.shape == shape
    kinds = {operation.type for operation in step.graph.get_operations()}
    assert ("FusedBatchNormV3" in kinds) == fused


def test_half_precision_is_computed_in_full():
    x = np.random.default_rng(1).normal(300, 30, (4, 8, 2)).astype("float16")
    norm = BatchNormalization(dtype="mixed_float16", momentum=0.0)
    assert norm(x, training=True).dtype == "float16"
    close(norm.moving_variance, unbiased(x.astype("float32")), 1e-2)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="its fused kernel")
@pytest.mark.parametrize(("channels", "read"), [(16, "bfloat16"), (8, "float32")])
def test_the_fused_kernel_reads_bfloat16_where_it_is_fast(channels, read):
    half = BatchNormalization(dtype="mixed_bfloat16", momentum=0.0)
    full = BatchNormalization(momentum=0.0)
    x = tf.cast(np.random.default_rng(1).normal(3, 2, (4, 8, 8, channels)), "bfloat16")
    upstream = tf.cast(np.random.default_rng(2).normal(size=x.shape), "bfloat16")
    results = []
    for norm, clips in ((half, x), (full, tf.cast(x, "float32"))):
        with tf.GradientTape() as tape:
            tape.watch(clips)
            outputs = norm(clips, training=True)
        results.append((outputs, tape.gradient(outputs, clips, tf.cast(upstream, clips.dtype))))
    assert results[0][0].dtype == tf.bfloat16
    for half_result, full_result in zip(*results, strict=True):
        close(tf.cast(half_result, "float32"), full_result, 0.01)
    close(half.moving_mean, full.moving_mean, 1e-5)
    close(half.moving_variance, full.moving_variance, 1e-5)
    step = tf.function(lambda clips: half(clips, training=True))
    graph = step.get_concrete_function(tf.TensorSpec(x.shape, x.dtype)).graph
    norms = [
        operation for operation in graph.get_operations() if operation.type == "FusedBatchNormV3"
    ]
    assert [norm.inputs[0].dtype.name for norm in norms] == [read]


def test_one_value_per_channel_has_no_variance():
    norm = BatchNormalization(momentum=0.9)
    norm(np.ones((1, 3), "float32"), training=True)
    close(norm.moving_variance, np.full(3, 0.9), 1e-6)


WITHOUT_NORMS = ("c3d", "mvit", "swin3d", "timesformer", "tsn_swin", "uniformer_v2")
WITHOUT_NORMS += ("videomae", "vivit", "vjepa2")
# Originally trained in TensorFlow, whose moving variance is the one of Keras.
OF_KERAS = ("movinet", "movinet_stream")


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("name", sorted(set(families.ALL) - set(OF_KERAS)))
def test_every_family_uses_it(name):
    kinds = {type(norm) for norm in batch_norms(families.shared(name))}
    assert kinds <= {BatchNormalization}
    assert kinds or name.startswith(WITHOUT_NORMS)


def plain_model(kind):
    clip = keras.Input((8, 8, 3))
    x = kind(name="first")(layers.Conv2D(4, 3, name="conv")(clip))
    return keras.Model(clip, kind(name="second")(layers.Conv2D(2, 3, name="other")(x)))


@pytest.mark.parametrize("swapped", [False, True])
def test_files_fit_keras_norm_and_this_one(swapped, tmp_path):
    kinds = (layers.BatchNormalization, BatchNormalization)
    first, second = kinds[::-1] if swapped else kinds
    saved, other = plain_model(first), plain_model(second)
    families.randomize(saved)
    saved.save_weights(tmp_path / "some.weights.h5")
    other.load_weights(tmp_path / "some.weights.h5")
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    close(other(x), saved(x), 1e-6)
    saved.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("second")) is first
    close(loaded(x), saved(x), 1e-6)


def test_rejects_masks():
    x = np.ones((2, 3, 4), "float32")
    with pytest.raises(ValueError, match="received mask="):
        BatchNormalization()(x, mask=np.ones((2, 3), bool), training=True)
