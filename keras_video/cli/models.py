"""Command-line flags that select a trained model."""

from pathlib import Path

from absl import logging

from keras_video import zoo
from keras_video.inference.automatic import CHOICES
from keras_video.weights.keras_files import load_model

# A value of --weights, for measuring speed, which does not depend on them, and for testing.
RANDOM = "random"


def row_id(name):
    """The id of the row named by `--row`; `None` for `None`.

    Raises:
        ValueError: for an unknown name, or a name shared by several rows, listing their ids.
    """
    return None if name is None else zoo.catalog.only_row(name).id


def define_model_flags(flags, row=None):
    """Defines `--row`, `--model` and `--weights`.

    Args:
        flags: the `Flags` of a command.
        row: the row if neither `--row` nor `--model` is given; `None` makes one of them required.
    """
    flags.group("Model")
    flags.string("row", row, "name or id of a zoo row, with its published weights")
    flags.string("model", None, "a .keras file, as written by training, in place of --row")
    flags.string(
        "weights",
        None,
        "weights for --row: a file, a row or 'random'; its published ones if not given",
    )


def define_optimize_flag(flags):
    """Defines `--optimize`."""
    flags.choice(
        "optimize",
        "auto",
        CHOICES,
        "auto: switch to the fastest equivalent model when there is enough work to pay for it",
    )


def log_optimization(options):
    """Makes the log show which optimized model was chosen and how much faster it is."""
    if options.optimize != "off":
        logging.set_verbosity(logging.INFO)


def chosen_model(options, *, weights=None, **overrides):
    """The model that the options select, with the input shape of its row's test protocol.

    Args:
        options: with the values of `define_model_flags`.
        weights: weights of a row if `--weights` is not given; its published ones if `None`.
        **overrides: constructor arguments that override the row's; ignored with `--model`.

    Raises:
        ValueError: if the options select no model, or several.
        FileNotFoundError: if the model file does not exist.
    """
    if options.model is not None:
        return _load(options)
    if options.row is None:
        raise ValueError("--row=None --model=None: expected one of them.")
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
            "file contains its weights, expected --model alone."
        )
    if not Path(options.model).is_file():
        raise FileNotFoundError(f"--model={options.model}: there is no such file.")
    return load_model(options.model)
