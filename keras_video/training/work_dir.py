"""The folder of a run and what is printed of it."""

import json
import shutil
import sys

from absl import logging


def open_work_dir(work_dir, flags):
    """Makes the work folder and logs into it; leaves `flags.json` there.

    Without `--resume`, an earlier run there is removed.
    """
    if not flags.resume and work_dir.exists():
        shutil.rmtree(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    logging.get_absl_handler().use_absl_log_file("train", str(work_dir))
    logging.set_stderrthreshold("info")
    (work_dir / "flags.json").write_text(json.dumps(settings(flags), indent=2) + "\n")


def settings(flags):
    """The values of the flags that this package defines, by name."""
    values = flags.flags_by_module_dict()
    ours = [flag for module, found in values.items() if "keras_video" in module for flag in found]
    return {flag.name: flag.value for flag in ours}


def verbosity():
    """What `fit` prints: a progress bar in a terminal, a line per epoch in a file."""
    return 1 if sys.stdout.isatty() else 2
