import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_few_files_run_from_the_command_to_the_gradient_step(tmp_path):
    script = Path(__file__).with_name("entered_files_run.py")
    command = [sys.executable, str(script), str(tmp_path / "run")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("entered:")]
    files = line.split()[1:]
    assert {"run.py", "lists.py", "callbacks.py", "optimizers.py"} <= set(files)
    assert len(files) <= 15, files
