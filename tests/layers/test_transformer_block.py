import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.layers import TransformerBlock
from tests.applications.families import randomize

ROOT = Path(__file__).parents[2]
X = np.random.default_rng(0).normal(size=(4, 6, 8)).astype("float32")


def block(**arguments):
    layer = TransformerBlock(2, 12, **arguments)
    layer.build(X.shape)
    return layer


def run(layer, **arguments):
    return keras.ops.convert_to_numpy(layer(X, **arguments))


def test_branches_are_residual_and_pre_normalized():
    layer = block(epsilon=1e-3, approximate_gelu=True)
    randomize(layer)
    x = X + np.array(layer.attn(layer.norm1(X)))
    hidden = np.array(layer.norm2(x)) @ np.array(layer.mlp_fc1.kernel)
    hidden = keras.ops.gelu(hidden + np.array(layer.mlp_fc1.bias), approximate=True)
    np.testing.assert_allclose(run(layer), x + np.array(layer.mlp_fc2(hidden)), atol=1e-5)
    assert layer.norm1.epsilon == layer.norm2.epsilon == 1e-3
    exact = block(epsilon=1e-3)
    exact.set_weights(layer.get_weights())
    assert 1e-5 < np.abs(run(exact) - run(layer)).max() < 1e-1


def test_layer_scale_is_a_factor_of_every_branch():
    layer = block(layer_scale=0.0)
    randomize(layer)
    layer.gamma_1.assign(np.zeros(8))
    layer.gamma_2.assign(np.zeros(8))
    np.testing.assert_array_equal(run(layer), X)
    plain, scaled = block(), block(layer_scale=1.0)
    randomize(plain)
    kept = [v for v in scaled.weights if "gamma_" not in v.path.rpartition("/")[2]]
    for variable, value in zip(kept, plain.get_weights(), strict=True):
        variable.assign(value)
    np.testing.assert_allclose(run(scaled), run(plain), atol=1e-6)


@pytest.mark.parametrize("rematerialize", [False, True])
def test_drop_path_skips_whole_examples(rematerialize):
    keras.utils.set_random_seed(0)
    layer = block(drop_path=0.9, rematerialize=rematerialize)
    randomize(layer)
    np.testing.assert_array_equal(run(layer), run(layer, training=False))
    skipped = [np.abs(run(layer, training=True) - X).max((1, 2)) == 0 for _ in range(20)]
    assert 0.6 < np.mean(skipped) < 0.95


def trained(rematerialize):
    layer = block(rematerialize=rematerialize)
    randomize(layer)
    model = keras.Sequential([keras.Input(X.shape[1:]), layer])
    model.compile("sgd", "mse")
    model.train_on_batch(X, X[::-1])
    return model.get_weights()


def test_rematerialization_does_not_change_gradients(monkeypatch):
    calls = []
    original = keras.remat
    monkeypatch.setattr(keras, "remat", lambda f: calls.append(f) or original(f))
    plain = trained(False)
    assert not calls
    for gradient, rematerialized in zip(plain, trained(True), strict=True):
        np.testing.assert_allclose(gradient, rematerialized, atol=1e-6)
    assert calls


def test_config_round_trip():
    arguments = {"key_bias": False, "rotary_grid": (1, 2, 3), "epsilon": 1e-5}
    arguments |= {"approximate_gelu": True, "layer_scale": 0.1, "drop_path": 0.2}
    layer = block(**arguments, rematerialize=True)
    again = TransformerBlock.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.rematerialize and again.rotary_grid == (1, 2, 3)


def planned(*flags):
    """Bytes that a compiled training step of the example network needs besides its weights."""
    script = ROOT / "benchmarks" / "training_memory.py"
    command = [sys.executable, str(script), "--row=x_videomae", "--batch=8", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return float(re.search(r"needs ([0-9.]+) GB", run.stdout)[1])


def test_rematerialized_blocks_need_less_memory():
    pytest.importorskip("jax")
    plain, rematerialized = planned(), planned("--rematerialize")
    assert rematerialized < 0.6 * plain, (rematerialized, plain)
