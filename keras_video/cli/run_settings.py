"""Flags and settings of a training run, for commands that train or preview its data."""

import dataclasses

from keras_video.cli.models import row_id
from keras_video.training.settings import ON_ERROR, SOURCES, RunSettings


def define_data_flags(flags):
    """Defines the flags for the videos of a run."""
    flags.group("Data")
    flags.string("data", None, "folder with a sub-folder of videos for each class, or shards")
    flags.number("validation_split", 0.2, "fraction of each class in --data to evaluate on", 0, 1)
    flags.integer("split_seed", 0, "random seed of the validation split")
    flags.string(
        "train_list", None, "list, class folders or shards; the synthetic dataset if not given"
    )
    flags.string("val_list", None, "list, class folders or shards to evaluate on")
    flags.string("data_root", None, "folder that the listed paths are relative to")
    flags.choice(
        "source", "auto", SOURCES, "what the listed paths are; auto inspects the first line"
    )
    flags.string("class_names", None, "file with a class name per line")
    flags.choice("on_error", "raise", ON_ERROR, "what to do with unreadable videos")


def run_settings(options):
    """The `RunSettings` from the options of the same names; the others keep their defaults.

    Raises:
        ValueError: for an unknown row, or settings that contradict each other.
    """
    names = {field.name for field in dataclasses.fields(RunSettings)} & set(vars(options))
    values = {name: getattr(options, name) for name in names}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return RunSettings(**{**values, "row": row_id(options.row)})
