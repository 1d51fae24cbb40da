"""Data parallel training on JAX in two processes (`jax.distributed`), against one."""

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("jax_processes_run.py")


def outcome(count, file):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(SCRIPT.parents[2]),
    }
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), *map(str, (number, count, port, file))],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(count)
    ]
    try:
        for process in processes:
            output, _ = process.communicate(timeout=900)
            assert process.returncode == 0, output[-3000:]
    finally:
        for process in processes:
            process.kill()
    with np.load(file) as arrays:
        return dict(arrays)


@pytest.mark.slow(every_change=True)
@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs jax")
def test_two_processes_learn_as_one(tmp_path):
    single, double = (outcome(count, tmp_path / f"{count}.npz") for count in (1, 2))
    assert single.keys() == double.keys()
    assert any(name.startswith("losses 2") for name in single)
    for name, expected in single.items():
        np.testing.assert_allclose(double[name], expected, rtol=1e-3, atol=1e-4, err_msg=name)
    assert single["losses None"][-1] < single["losses None"][0]
