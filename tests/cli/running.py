"""Commands called in this process, and started as a user does."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

from keras_video.cli.main import module_flags

ROOT = Path(__file__).parents[2]


def call(command, *arguments):
    """Runs a command in this process and returns its status; what it raises comes through."""
    module = importlib.import_module(
        f"keras_video.cli.{command.replace(' ', '_').replace('-', '_')}"
    )
    flags = module_flags(module)
    return module.run(*flags.parse(command, [str(argument) for argument in arguments]))


def environment():
    """That of a process whose package is this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def command_line(command, *arguments):
    """What a user types, for `subprocess`."""
    return [sys.executable, "-m", "keras_video", *command.split(), *map(str, arguments)]


def start(command, *arguments, timeout=300):
    """Runs a command to its end; a `subprocess.CompletedProcess` with what it printed."""
    return subprocess.run(
        command_line(command, *arguments),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=timeout,
    )
