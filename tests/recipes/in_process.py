"""Runs recipes in the process of the tests, where starting one of their own takes seconds."""

import importlib.util

from tests.recipes.starting import RECIPES


def run(recipe, *arguments):
    """What the recipe's `main` returns for these flags."""
    spec = importlib.util.spec_from_file_location(f"recipe_{recipe[:-3]}", RECIPES / recipe)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main([str(argument) for argument in arguments])
