"""The same models on TensorFlow, JAX and torch: equal logits.

Every backend runs in a process of its own, which writes the logits of all small models. TensorFlow
saves them as `.keras` files and the others load these.
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


def write_logits(folder):
    """Writes the logits of every small model on the backend of this process.

    TensorFlow, which comes first, makes the models; the others load the files it saves.
    """
    families.make_shallow()
    backend = keras.backend.backend()
    logits = {}
    for name in sorted(families.SMALL):
        path = f"{folder}/{name}.keras"
        if backend == "tensorflow":
            model = families.build(name)
            families.randomise(model)
            model.save(path)
        else:
            model = keras.models.load_model(path)
        # JAX compiles a whole network in less time than all its operations one by one.
        forward = model.predict_on_batch if backend == "jax" else model
        logits[name] = keras.ops.convert_to_numpy(forward(families.clips(name)))
        keras.backend.clear_session()
    np.savez(f"{folder}/{backend}.npz", **logits)


@pytest.fixture(scope="module")
def logits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logits")
    found = {}
    for backend in BACKENDS:
        code = f"from {__name__} import write_logits; write_logits({str(folder)!r})"
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True
        )
        assert run.returncode == 0, run.stderr[-3000:]
        with np.load(folder / f"{backend}.npz") as arrays:
            found[backend] = dict(arrays)
    return found


@pytest.mark.skipif(len(BACKENDS) < 2, reason="needs the extra 'backends': jax or torch")
@pytest.mark.parametrize("name", sorted(families.SMALL))
def test_logits_are_equal_on_all_backends(name, logits):
    expected = logits["tensorflow"][name]
    for backend in BACKENDS[1:]:
        np.testing.assert_allclose(logits[backend][name], expected, rtol=1e-4, atol=1e-4)
