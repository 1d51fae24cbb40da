"""The flags by which commands are told which trained model to use."""

from pathlib import Path

from absl import logging

from keras_video import zoo
from keras_video.inference.automatic import CHOICES
from keras_video.weights.keras_files import load_model

# A value of --weights: for speed, which does not depend on them, and for trying things out.
RANDOM = "random"


def row_id(name):
    """The id of the row that a `--row` names; `None` if it names none.

    Raises:
        ValueError: for an unknown name, or one of several rows, with their ids.
    """
    return None if name is None else zoo.catalog.only_row(name).id


def define_model_flags(flags, row=None):
    """Defines `--row`, `--model` and `--weights`.

    Args:
        flags: the `Flags` of a command.
        row: the row where neither `--row` nor `--model` is given; `None` asks for one of them.
    """
    flags.group("Model")
    flags.string("row", row, "name or id of a row of the zoo, with its published weights")
    flags.string("model", None, "a .keras file, as a training leaves it, in place of --row")
    flags.string("weights", None, "of --row: a file, a row or 'random'; published if not given")


def define_optimize_flag(flags):
    """Defines `--optimize`."""
    flags.choice(
        "optimize",
        "auto",
        CHOICES,
        "auto: the fastest equal form of the model once there is more work than finding it costs",
    )


def tell_optimized(options):
    """Lets the log say which form was chosen, and how much faster it is."""
    if options.optimize != "off":
        logging.set_verbosity(logging.INFO)


def chosen_model(options, *, weights=None, **overrides):
    """The model that the options name, fed as the test protocol of its row says.

    Args:
        options: with the values of `define_model_flags`.
        weights: of a row where `--weights` is not given; its published ones if `None`.
        **overrides: arguments of the constructor that replace the row's; not with `--model`.

    Raises:
        ValueError: if they name no model, or several.
        FileNotFoundError: if there is no such file.
    """
    if options.model is not None:
        return _load(options)
    if options.row is None:
        raise ValueError("--row=None --model=None: give one of them.")
    row = zoo.row(row_id(options.row))
    chosen = options.weights or weights
    chosen = {None: True, RANDOM: None}.get(chosen, chosen)
    if row.test_input_shape is not None:
        overrides.setdefault("input_shape", row.test_input_shape)
    return row.model(weights=chosen, **overrides)


def _load(options):
    if "row" in options.given or options.weights is not None:
        raise ValueError(
            f"--model={options.model} --row={options.row} --weights={options.weights}: a model "
            "file has its weights, give it alone."
        )
    if not Path(options.model).is_file():
        raise FileNotFoundError(f"--model={options.model}: there is no such file.")
    return load_model(options.model)
