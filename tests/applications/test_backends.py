"""The same models on TensorFlow, JAX and torch: equal logits.

Every backend runs in a separate process, which writes the logits of all small models. TensorFlow
saves them as `.keras` files, and the others load these concurrently.
"""

import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_video.inference import fold_batch_norm, winograd_model
from tests.applications import families

pytestmark = pytest.mark.unit

BACKENDS = [name for name in ("tensorflow", "jax", "torch") if importlib.util.find_spec(name)]
NAMES = sorted(families.SMALL | families.AUDIO_FAMILIES)
# Also with the convolutions for fast inference, over height and over time.
FAST = ("c3d", "slowonly")
CASES = [*NAMES, *(f"{name}, fast" for name in FAST)]


def write_logits(folder):
    """Writes the logits of every small model on the backend of this process.

    TensorFlow runs first and creates the models; the others load the files it saves.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        draw_zeros()
    logits = {}
    for name in NAMES:
        path = f"{folder}/{name}.keras"
        if backend == "tensorflow":
            model = families.build(name)
            families.randomize(model)
            model.save(path)
        else:
            model = keras.models.load_model(path)
        cases = {name: model}
        if name in FAST:
            with families.small_ones_filtered():
                cases[f"{name}, fast"] = winograd_model(fold_batch_norm(model))
        for case, variant in cases.items():
            # JAX compiles a whole network faster than all its operations one by one.
            forward = variant.predict_on_batch if backend == "jax" else variant
            logits[case] = keras.ops.convert_to_numpy(forward(families.clips(name)))
        keras.backend.clear_session()
    np.savez(f"{folder}/{backend}.npz", **logits)


def draw_zeros():
    """Makes initializers return zeros, so that JAX does not compile a function per shape.

    The weights come from files.
    """
    import jax

    for name in ("normal", "truncated_normal", "uniform"):
        setattr(jax.random, name, lambda *_, shape, dtype, **__: np.zeros(shape, dtype))


@pytest.fixture(scope="module")
def logits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logits")
    for together in (BACKENDS[:1], BACKENDS[1:]):
        for process in [start(backend, folder) for backend in together]:
            _, errors = process.communicate()
            assert process.returncode == 0, errors[-3000:]
    outputs = {}
    for backend in BACKENDS:
        with np.load(folder / f"{backend}.npz") as arrays:
            outputs[backend] = dict(arrays)
    return outputs


def start(backend, folder):
    """A process that writes the logits of a backend."""
    code = f"from {__name__} import write_logits; write_logits({str(folder)!r})"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(len(BACKENDS) < 2, reason="needs the extra 'backends': jax or torch")
@pytest.mark.parametrize("name", CASES)
def test_logits_are_equal_on_all_backends(name, logits):
    expected = logits["tensorflow"][name]
    for backend in BACKENDS[1:]:
        np.testing.assert_allclose(logits[backend][name], expected, rtol=1e-4, atol=1e-4)
