"""Builds the network of a row."""

from collections.abc import Sequence
from pathlib import Path

from keras_video.zoo import catalog


def build_row_model(row, weights, overrides):
    """See `Row.model`."""
    published = weights_row(row) if weights is True else None
    overrides, names = split_names(overrides)
    arguments = model_arguments(row, None if weights is True else weights, overrides)

    from keras_video import applications
    from keras_video.applications import pretrained

    model = getattr(applications, row.constructor)(**arguments)
    if published is not None:
        pretrained.load_row(model, published)
    # Weights named otherwise come with the protocol they were trained with, those of the row with
    # what their own configuration says of it; a test variant has the weights of another row.
    unknown = weights is None or model.preprocessing is None
    if unknown or (published is not None and model.protocol.row != row.id):
        model.protocol = row.protocol("test")
    if arguments.get("include_top", True) and arguments.get("classes") == row.classes:
        model.class_names = row.class_names or model.class_names
    if names is not None:
        model.class_names = names
    return model


def split_names(overrides):
    """`overrides` with the number of classes, and the names if `classes` lists them.

    Raises:
        ValueError: for text, or names where there is no classifier.
    """
    classes = overrides.get("classes")
    if not isinstance(classes, str | Sequence):
        return overrides, None
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"classes={classes!r}: expected their number, or a list of their names.")
    if not overrides.get("include_top", True):
        raise ValueError(f"classes={classes!r}: have no effect with include_top=False.")
    return {**overrides, "classes": len(classes)}, list(classes)


def initial_model(row, weights, **overrides):
    """The network of a row with the weights that a training starts from.

    Args:
        row: a row with a model.
        weights: `None` for random weights; "initial" for those that the published training
            started from; a PyTorch checkpoint or a saved model (`.keras`), whose classifier is left
            out if its classes differ; or what the constructor takes as `weights`.
        **overrides: see `Row.model`.

    Raises:
        ValueError: for "initial" if the published training starts from random weights.
    """
    from keras_video.applications import pretrained

    file = weights is not None and (
        Path(weights).suffix == ".keras" or pretrained.is_checkpoint_name(weights)
    )
    if not file and weights != "initial":
        return build_row_model(row, weights, overrides)
    model = build_row_model(row, None, overrides)
    if file:
        pretrained.load_initial_file(model, Path(weights))
    else:
        pretrained.load_row_initial_weights(model, row)
    return model


def model_arguments(row, weights, overrides):
    """Keyword arguments of the constructor for `row` with `overrides`.

    Raises:
        ValueError: for a row without a model.
    """
    if row.constructor is None:
        hint = ""
        if row.fusion or row.aggregate_of:
            parts = row.fusion.components if row.fusion else row.aggregate_of
            hint = f" Build the rows it is made of: {', '.join(parts)}."
        raise ValueError(
            f"{row.id} ({row.name}) is a {row.kind} row without a model of its own.{hint}"
        )
    arguments = {**row.arguments, "input_shape": row.input_shape, "weights": weights or None}
    if row.classes is not None:
        arguments["classes"] = row.classes
    return with_overrides(arguments, overrides)


def weights_row(row):
    """The row whose checkpoint `row` uses.

    Raises:
        ValueError: if there is none.
    """
    if row.checkpoints:
        return row
    if row.trained_by:
        return catalog.row(row.trained_by)
    raise ValueError(
        f"weights=True: no weights are published for {row.id} ({row.name}, kind {row.kind})."
    )


def with_overrides(arguments, overrides):
    """`arguments` with `overrides`; `segments` and the frames of `input_shape` stay equal."""
    merged = {**arguments, **overrides}
    shape = merged.get("input_shape")
    if "segments" not in merged:
        return merged
    if "input_shape" in overrides and "segments" not in overrides:
        if shape is not None and shape[0] is not None:
            merged["segments"] = shape[0]
    elif "segments" in overrides and "input_shape" not in overrides and shape is not None:
        merged["input_shape"] = (overrides["segments"], *shape[1:])
    return merged
