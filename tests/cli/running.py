"""Helpers that run commands in this process or as a user would."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

from keras_video.cli.main import module_flags

ROOT = Path(__file__).parents[2]


def call(command, *arguments):
    """Runs a command in this process and returns its status; errors are not caught."""
    module = importlib.import_module(
        f"keras_video.cli.{command.replace(' ', '_').replace('-', '_')}"
    )
    flags = module_flags(module)
    return module.run(*flags.parse(command, [str(argument) for argument in arguments]))


def environment():
    """Environment variables of a process that imports this checkout."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


def command_line(command, *arguments):
    """The command line that a user types, for `subprocess`."""
    return [sys.executable, "-m", "keras_video", *command.split(), *map(str, arguments)]


def start(command, *arguments, timeout=300):
    """Runs a command to completion; a `subprocess.CompletedProcess` with its output."""
    return subprocess.run(
        command_line(command, *arguments),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=timeout,
    )
