"""Starts recipes as a user does."""

import os
import subprocess
import sys
from pathlib import Path

RECIPES = Path(__file__).parents[2] / "recipes"


def start(recipe, *arguments, timeout=300):
    """Runs a recipe to its end; a `subprocess.CompletedProcess` with what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(RECIPES.parent),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, str(RECIPES / recipe), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
