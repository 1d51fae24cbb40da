"""The same models on TensorFlow, JAX and torch: equal logits.

Every backend runs in a process of its own, which writes the logits of all small models.
"""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from tests.applications import families

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]


def write_logits(path):
    """Writes the logits of every small model, with weights and clips made by numpy."""
    logits = {}
    for name in sorted(families.SMALL):
        logits[name] = keras.ops.convert_to_numpy(families.shared(name)(families.clips(name)))
        families.shared.cache_clear()
    np.savez(path, **logits)


@pytest.fixture(scope="module")
def logits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logits")
    found = {}
    for backend in BACKENDS:
        path = folder / f"{backend}.npz"
        code = f"from {__name__} import write_logits; write_logits({str(path)!r})"
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr[-3000:]
        with np.load(path) as arrays:
            found[backend] = dict(arrays)
    return found


@pytest.mark.skipif(len(BACKENDS) < 2, reason="needs the extra 'backends': jax or torch")
@pytest.mark.parametrize("name", sorted(families.SMALL))
def test_logits_are_equal_on_all_backends(name, logits):
    expected = logits["tensorflow"][name]
    for backend in BACKENDS[1:]:
        np.testing.assert_allclose(logits[backend][name], expected, rtol=1e-4, atol=1e-4)
