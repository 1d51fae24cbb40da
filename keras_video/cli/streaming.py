"""Causal models, for commands that process a video frame by frame."""

from absl import logging

from keras_video import zoo
from keras_video.cli.models import chosen_model, row_id
from keras_video.inference.stream import is_causal

# The family whose models become causal with one argument; its published weights were trained with
# access to the next frame.
ONLINE = "TSM"


def streaming_model(options, *, required=False):
    """The model that the flags name; a TSM row is built in its online form.

    Args:
        options: with the values of `define_model_flags`.
        required: whether to raise an error if the model is not causal.

    Raises:
        ValueError: if `required` and the model is not causal.
    """
    if options.model is not None or options.row is None:
        model = chosen_model(options)
        if required and not is_causal(model):
            raise ValueError(f"--model={options.model}: {_expected(model.name)}")
        return model
    row = zoo.row(row_id(options.row))
    if row.constructor == ONLINE:
        if options.weights is None:
            logging.warning(
                "%s was trained with access to the next frame: its online form will not reach "
                "the published accuracy.",
                row.name,
            )
        return chosen_model(options, online=True)
    if required and not row.arguments.get("stream", False):
        raise ValueError(f"--row={options.row}: {_expected(row.name)}")
    return chosen_model(options)


def causal_rows():
    """Names of the published rows that were trained as causal models."""
    return [row.name for row in zoo.rows() if row.arguments.get("stream", False)]


def _expected(name):
    return (
        f"{name} is not causal, it needs all frames of a clip at once; expected one of "
        f"{', '.join(causal_rows())}, a {ONLINE} row, which runs in its online form, or a model "
        "trained with stream=True or online=True."
    )
