"""The flags and settings of a run, for commands that train and those that show what would be."""

import dataclasses

from keras_video.cli.models import row_id
from keras_video.training.settings import ON_ERROR, SOURCES, RunSettings


def define_data_flags(flags):
    """Defines the flags by which a run is told its videos."""
    flags.group("Data")
    flags.string("data", None, "folder with a sub-folder of videos for each class, or shards")
    flags.number("validation_split", 0.2, "share of --data to evaluate on, of every class", 0, 1)
    flags.integer("split_seed", 0, "of the choice of these videos")
    flags.string(
        "train_list", None, "list, class folders or shards; the embedded dataset if not given"
    )
    flags.string("val_list", None, "list, class folders or shards to evaluate on")
    flags.string("data_root", None, "folder that the paths of the lists are relative to")
    flags.choice("source", "auto", SOURCES, "what lists name; auto looks at the first line")
    flags.string("class_names", None, "file with a class name per line")
    flags.choice("on_error", "raise", ON_ERROR, "for videos that cannot be read")


def run_settings(options):
    """The `RunSettings` of the options that have their names; the others keep their defaults.

    Raises:
        ValueError: for a row that there is not, or settings that contradict each other.
    """
    names = {field.name for field in dataclasses.fields(RunSettings)} & set(vars(options))
    values = {name: getattr(options, name) for name in names}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return RunSettings(**{**values, "row": row_id(options.row)})
