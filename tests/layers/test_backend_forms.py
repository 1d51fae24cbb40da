"""Layers whose implementation depends on the backend give the same results on each."""

import importlib.util
import os
import subprocess
import sys

import pytest

from tests.layers import backend_run

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_forms_of_a_backend_are_equal(backend):
    process = subprocess.run(
        [sys.executable, "-m", backend_run.__name__],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
