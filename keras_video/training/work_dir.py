"""The folder of a run and what is printed of it."""

import json
import shutil
import sys
from pathlib import Path

from absl import logging


def open_work_dir(flags, row):
    """Makes the work folder and logs into it; leaves `flags.json` there.

    Without `--resume`, an earlier run there is removed.

    Returns:
        The work folder.
    """
    work_dir = Path(flags.work_dir or f"work_dirs/{row.name}")
    if not flags.resume and work_dir.exists():
        shutil.rmtree(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    logging.get_absl_handler().use_absl_log_file("train", str(work_dir))
    logging.set_stderrthreshold("info")
    (work_dir / "flags.json").write_text(json.dumps(settings(flags), indent=2) + "\n")
    return work_dir


def settings(flags):
    """The values of the flags that this package defines, by name."""
    values = flags.flags_by_module_dict()
    ours = [flag for module, found in values.items() if "keras_video" in module for flag in found]
    return {flag.name: flag.value for flag in ours}


def verbosity():
    """What `fit` prints: a progress bar in a terminal, a line per epoch in a file."""
    return 1 if sys.stdout.isatty() else 2
