"""`optimize` on JAX and torch, each in a separate process."""

import importlib.util
import subprocess
import sys

import pytest

from tests.cli.running import environment

BACKENDS = [name for name in ("jax", "torch") if importlib.util.find_spec(name)]
CODE = """
import keras_video, keras, numpy as np
from keras_video import inference
from keras_video.inference import optimizing
from tests.applications import families
optimizing.SECONDS, optimizing.LEAST_CALLS = 0.0, 1
model = families.build("tsn")
families.randomize(model)
clips = families.clips("tsn", 2)
fast = inference.optimize(model, clips.shape)
assert set(fast.seconds) == {"keras", "folded"}, fast
assert fast.difference < 1e-4
folded = optimizing._compiled(inference.fold_batch_norm(model))
expected = model.predict_on_batch(clips)
for count in (2, 2, 1):
    np.testing.assert_allclose(folded(clips[:count]), expected[:count], rtol=1e-3, atol=1e-4)
print(keras.backend.backend(), fast.form)
"""


@pytest.mark.slow(every_change=True)
@pytest.mark.skipif(not BACKENDS, reason="needs the extra 'backends': jax or torch")
@pytest.mark.parametrize("backend", BACKENDS)
def test_the_folded_form_is_compiled_and_equal(backend):
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        env={**environment(), "KERAS_BACKEND": backend},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.split()[0] == backend
