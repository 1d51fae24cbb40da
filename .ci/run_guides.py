"""Runs the guides, each in a separate process in an empty folder.

    python .ci/run_guides.py              # all, two at a time
    python .ci/run_guides.py faq your_data

The guides use embedded datasets and small models, so they need no network access and no weights.
Fails if a guide fails, and prints its output.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from guides import GUIDES, ROOT, guides

AT_ONCE = 2
LIMIT = 600  # seconds


def run(path):
    """Runs a guide; returns `(path, exit status, seconds, output)`."""
    home = os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")
    environment = {
        **os.environ,
        "KERAS_HOME": home,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(
            [sys.executable, str(path)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
        )
    return path, result.returncode, time.monotonic() - start, result.stdout


def main():
    names = sys.argv[1:]
    unknown = [name for name in names if not (GUIDES / f"{name}.py").is_file()]
    if unknown:
        sys.exit(f"received {unknown}, expected names from {[path.stem for path in guides()]}")
    paths = [GUIDES / f"{name}.py" for name in names] or guides()
    failed = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for path, status, seconds, output in pool.map(run, paths):
            print(f"{path.name}: {'passed' if not status else 'FAILED'} in {seconds:.0f} s")
            if status:
                failed.append(path.name)
            if status or names:
                print(output)
    if failed:
        sys.exit(f"{', '.join(failed)} failed")


if __name__ == "__main__":
    main()
