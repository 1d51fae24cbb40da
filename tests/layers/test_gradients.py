"""Gradients of depthwise and (2+1)D convolutions, numerically, on every backend installed."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_are_those_of_central_differences(backend):
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1"}
    command = [sys.executable, "-m", "tests.layers.gradient_run"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    worst = json.loads(run.stdout.splitlines()[-1])
    assert len(worst) == 20
    assert max(worst.values()) < 1e-6, worst
