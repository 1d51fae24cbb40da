import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).with_name("replica_run.py")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Outcomes of the same training on one and on two logical CPUs."""
    pytest.importorskip("tensorflow")
    folder, outcomes = tmp_path_factory.mktemp("replicas"), []
    for replicas in (1, 2):
        file = folder / f"{replicas}.npz"
        result = subprocess.run(
            [sys.executable, str(SCRIPT), str(replicas), str(file)],
            env={**os.environ, "KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        with np.load(file) as arrays:
            outcomes.append(dict(arrays))
    return outcomes


@pytest.mark.slow
def test_two_replicas_have_the_loss_curve_of_one(runs):
    """With a depthwise convolution, synchronized norms, gradient clipping, decay, a schedule."""
    single, double = runs
    first, second = np.split(single["curve"], 2)  # two passes over the same batches
    assert second.mean() < first.mean()
    np.testing.assert_allclose(double["curve"], single["curve"], rtol=1e-5)


@pytest.mark.slow
def test_loss_scaling_keeps_the_curve(runs):
    single, double = runs
    np.testing.assert_allclose(single["scaled"], single["curve"], rtol=1e-5)
    np.testing.assert_allclose(double["scaled"], single["curve"], rtol=1e-5)
    np.testing.assert_allclose(double["mixed"], single["mixed"], rtol=5e-3)


@pytest.mark.slow
def test_two_replicas_return_the_scores_of_one(runs):
    single, double = runs
    assert double["scores"].shape == (7, 3)
    np.testing.assert_allclose(double["scores"], single["scores"], rtol=1e-4)


@pytest.mark.slow
def test_two_replicas_resume_exactly(runs):
    for outcome in runs:
        np.testing.assert_array_equal(outcome["parts"], outcome["whole"])


@pytest.mark.slow
def test_two_replicas_average_the_weights_of_one(runs):
    single, double = (outcome["averaged"] for outcome in runs)
    first, last, left = single
    assert np.abs(last - first).max() > 1e-3
    np.testing.assert_array_equal(left, last)
    np.testing.assert_allclose(double, single, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_accumulation_is_rejected_on_two_replicas(runs):
    single, double = runs
    assert str(single["refusal"]) == ""
    assert "gradient_accumulation_steps=2 does not work with 2 replicas" in str(double["refusal"])
