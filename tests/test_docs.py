"""The docstrings of the package as pages."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("pdoc"), reason="pip install keras-video[docs]")
def test_the_pages_are_built(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / ".ci" / "build_docs.py"), str(tmp_path / "docs")]
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "Warn:" not in run.stderr
    page = (tmp_path / "docs" / "keras_video" / "applications.html").read_text()
    assert "temporal shift" in page.lower()
    page = (tmp_path / "docs" / "keras_video" / "data.html").read_text()
    assert "video_dataset" in page
