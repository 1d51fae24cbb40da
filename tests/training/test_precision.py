"""Half precision: correct gradients, or an error."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from keras_video.training import precision
from tests.training import half_precision_run

TRAINING = """
import keras
from keras_video.training import precision
precision.use_half_precision()
print(precision.gradient_error(), keras.mixed_precision.global_policy().name)
"""
# Without the variable's protection, as a program that computed before.
UNPROTECTED = """
from keras_video.training import precision
precision.has_amx = lambda: False
precision.use_half_precision()
"""


def run(code, **variables):
    environment = {k: v for k, v in os.environ.items() if k != precision.LIMIT}
    return subprocess.run(
        [sys.executable, "-c", code], env={**environment, **variables}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip


def test_gradients_of_3d_convolutions_are_right():
    result = run(TRAINING)
    assert result.returncode == 0, result.stderr[-2000:]
    error, policy = result.stdout.split()
    assert float(error) < 0.05 and policy == "mixed_bfloat16"


@pytest.mark.skipif(not precision.has_amx(), reason="needs a CPU with AMX")
def test_a_cpu_whose_gradients_are_wrong_is_rejected():
    result = run(UNPROTECTED)
    if result.returncode == 0:
        pytest.skip("this TensorFlow computes them right")
    assert "Set ONEDNN_MAX_CPU_ISA=AVX512_CORE_FP16 before the program starts" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slowonly", "videomae"])
def test_losses_equal_those_of_float32_up_to_the_effect_of_batch_order(name):
    result = run(
        f"import runpy, sys; sys.argv = ['', {name!r}]; "
        f"runpy.run_path({half_precision_run.__file__!r}, run_name='__main__')"
    )
    assert result.returncode == 0, result.stderr[-2000:]
    curves = {key: np.array(values) for key, values in json.loads(result.stdout).items()}
    half, noise = (
        np.abs(curves[name] - curves["float32"]).mean() for name in ("half", "other order")
    )
    assert 0 < half < noise / 2


def test_wrong_gradients_are_an_error(monkeypatch):
    for error in (0.6, float("nan")):
        monkeypatch.setattr(precision, "gradient_error", lambda error=error: error)
        with pytest.raises(RuntimeError, match="ONEDNN_MAX_CPU_ISA"):
            precision.check_gradients()


def test_amx_is_read_from_the_flags_of_the_cpu(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("flags\t\t: fpu avx512_bf16 amx_bf16 avx512_fp16\n")
    assert precision.has_amx(file)
    file.write_text("flags\t\t: fpu avx512_bf16\n")
    assert not precision.has_amx(file)
    assert not precision.has_amx(tmp_path / "absent")
