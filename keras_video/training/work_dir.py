"""The folder of a run and what is printed of it."""

import shutil
import sys

from absl import logging


def open_work_dir(work_dir, settings):
    """Makes the work folder and logs into it; leaves `settings.json` there.

    Args:
        work_dir: the folder.
        settings: the `RunSettings`; without `resume`, an earlier run there is removed.
    """
    if not settings.resume and work_dir.exists():
        shutil.rmtree(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    logging.get_absl_handler().use_absl_log_file("train", str(work_dir))
    logging.set_stderrthreshold("info")
    settings.save(work_dir / "settings.json")


def verbosity():
    """What `fit` prints: a progress bar in a terminal, a line per epoch in a file."""
    return 1 if sys.stdout.isatty() else 2
