"""Causal models for commands that follow a video frame by frame."""

from absl import logging

from keras_video import zoo
from keras_video.cli.models import chosen_model, row_id
from keras_video.inference.stream import is_causal

# The family whose networks are causal by one argument; its published weights are of networks that
# see the next frame too.
ONLINE = "TSM"


def streaming_model(options, *, required=False):
    """The model of the flags, a TSM of a row in its online form.

    Args:
        options: with the values of `define_model_flags`.
        required: whether a model that is not causal is an error.

    Raises:
        ValueError: if it is.
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
                "%s was trained to see the next frame as well: expect less of its online form "
                "than its published accuracy.",
                row.name,
            )
        return chosen_model(options, online=True)
    if required and not row.arguments.get("stream", False):
        raise ValueError(f"--row={options.row}: {_expected(row.name)}")
    return chosen_model(options)


def causal_rows():
    """Names of the published rows whose networks were trained to see no later frames."""
    return [row.name for row in zoo.rows() if row.arguments.get("stream", False)]


def _expected(name):
    return (
        f"{name} is not causal, it needs the frames of a clip at once; expected one of "
        f"{', '.join(causal_rows())}, a row of {ONLINE}, which is run in its online form, or a "
        "model trained with stream=True or online=True."
    )
