"""`keras.distribution.DataParallel` on the JAX backend: two virtual devices against one."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("jax_data_parallel_run.py")


def outcome(devices, file):
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(SCRIPT.parents[2]),
        "NPROC": "4",  # threads: a device waiting for the other occupies one
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    command = [sys.executable, str(SCRIPT), str(devices), str(file)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    with np.load(file) as arrays:
        return dict(arrays)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs jax")
def test_two_devices_learn_as_one(tmp_path):
    single, double = (outcome(devices, tmp_path / f"{devices}.npz") for devices in (1, 2))
    assert single["used"].tolist() == [1, 1]
    assert double["used"].tolist() == [2, 2]
    assert (single["losses"][:, -1] < single["losses"][:, 0]).all()
    np.testing.assert_allclose(double["losses"], single["losses"], rtol=1e-3)
    np.testing.assert_allclose(double["scores"], single["scores"], rtol=1e-2, atol=1e-3)
