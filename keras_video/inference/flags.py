"""The flags by which recipes are told which trained model to use."""

from pathlib import Path

from absl import flags

from keras_video import zoo
from keras_video.weights.keras_files import load_model

# A value of --weights: for speed, which does not depend on them, and for trying things out.
RANDOM = "random"


def define_model_flags(*, row=None):
    """Defines `--row`, `--model` and `--weights`.

    Args:
        row: the row where neither `--row` nor `--model` is given; `None` asks for one of them.

    Returns:
        `absl.flags.FLAGS`, readable once `absl.app.run` has parsed the command line.
    """
    flags.DEFINE_string("row", row, "row of the zoo, with its published weights")
    flags.DEFINE_string("model", None, "a .keras file, as a training leaves it, in place of --row")
    flags.DEFINE_string(
        "weights", None, "of --row: a file, a row or 'random'; published if not given"
    )
    return flags.FLAGS


def flagged_model(flags, **overrides):
    """The model that the flags name, fed as the test protocol of its row says.

    Args:
        flags: with the values of `define_model_flags`.
        **overrides: arguments of the constructor that replace the row's; not with `--model`.

    Raises:
        ValueError: if the flags name no model, or several.
        FileNotFoundError: if there is no such file.
    """
    if flags.model is not None:
        return _load(flags)
    if flags.row is None:
        raise ValueError("--row=None --model=None: give one of them.")
    row = zoo.row(flags.row)
    weights = {None: True, RANDOM: None}.get(flags.weights, flags.weights)
    if row.test_input_shape is not None:
        overrides.setdefault("input_shape", row.test_input_shape)
    return row.model(weights=weights, **overrides)


def _load(flags):
    if flags["row"].present or flags.weights is not None:
        raise ValueError(
            f"--model={flags.model} --row={flags.row} --weights={flags.weights}: a model file has "
            "its weights, give it alone."
        )
    if not Path(flags.model).is_file():
        raise FileNotFoundError(f"--model={flags.model}: there is no such file.")
    return load_model(flags.model)


def class_names_of(model):
    """A name for every output of a model: its class names, or else numbers as text."""
    names = getattr(model, "class_names", None)
    return list(names) if names else [str(index) for index in range(model.output_shape[-1])]
