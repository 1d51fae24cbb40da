"""Recipes called in this process, as their command line would."""

import importlib.util
from pathlib import Path

from absl import flags

RECIPES = Path(__file__).parents[2] / "recipes"


def recipe_of(row):
    """The file of the recipe that trains a row."""
    if row.joint:
        return RECIPES / "train_omnisource.py"
    name = {"AudioResNet": "audio_resnet"}.get(row.constructor, row.constructor.lower())
    recipe = RECIPES / f"train_{name}.py"
    return recipe if recipe.is_file() else Path(__file__).with_name("any_family.py")


def load(path):
    """The module of a recipe; its flags have their defaults again, those of others are gone."""
    for module, defined in list(flags.FLAGS.flags_by_module_dict().items()):
        if module != "absl" and not module.startswith("absl."):
            for flag in list(defined):
                delattr(flags.FLAGS, flag.name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(path, *flags):
    """Runs a recipe with flags; what it raises comes through."""
    module = load(path)
    module.FLAGS([path.name, *flags])
    return module.main([])
