"""From a row to its network."""

from pathlib import Path

from keras_video.zoo.preprocessing import Preprocessing


def preprocessing(row):
    """See `Row.preprocessing`."""
    if row.constructor is None:
        raise ValueError(f"{row.id} ({row.name}) is a {row.kind} row without a model of its own.")
    return Preprocessing(
        sampling=row.sampling.test,
        normalize=row.normalize,
        spatial=row.spatial.test if row.spatial else None,
        audio=row.audio,
        view_frames=row.view_frames,
        average=row.average or "prob",  # features are averaged as they come
        max_views=row.max_views,
        row=row.id,
    )


def build_model(row, weights, overrides):
    """See `Row.model`."""
    arguments = model_arguments(row, weights, overrides)

    import keras_video.applications as applications

    model = getattr(applications, row.constructor)(**arguments)
    # Weights named otherwise come with the preprocessing they were trained with.
    loaded = (model.preprocessing or {}).get("row")
    if weights is None or model.preprocessing is None or (weights is True and loaded != row.id):
        model.preprocessing = row.preprocessing().facts()
    if arguments.get("include_top", True) and arguments.get("classes") == row.classes:
        names = row.class_names
        if names:
            model.class_names = list(names)
    return model


def started_model(row, start, **overrides):
    """The network of a row with the weights that a training starts from.

    Args:
        row: a row with a model.
        start: `None` for random weights; "initial" for those that the published training
            started from; a PyTorch checkpoint or a saved model (`.keras`), whose classifier is left
            out where it has other classes; or what the constructor takes as `weights`.
        **overrides: see `Row.model`.

    Raises:
        ValueError: for "initial" where the published training starts from nothing.
    """
    from keras_video.applications import pretrained

    file = start is not None and (
        Path(start).suffix == ".keras" or pretrained.is_checkpoint_name(start)
    )
    if not file and start != "initial":
        return build_model(row, start, overrides)
    model = build_model(row, None, overrides)
    if file:
        pretrained.start_from_file(model, Path(start))
    else:
        pretrained.load_row_start(model, row)
    return model


def model_arguments(row, weights, overrides):
    """Keyword arguments of the constructor for `row` with `overrides`.

    Raises:
        ValueError: for a row without a model, or `weights=True` for a row without weights.
    """
    if row.constructor is None:
        hint = ""
        if row.fusion or row.aggregate_of:
            parts = row.fusion.components if row.fusion else row.aggregate_of
            hint = f" Build the rows it is made of: {', '.join(parts)}."
        raise ValueError(
            f"{row.id} ({row.name}) is a {row.kind} row without a model of its own.{hint}"
        )
    if weights is True:
        weights = weights_row(row)
    arguments = {**row.arguments, "input_shape": row.input_shape, "weights": weights or None}
    if row.classes is not None:
        arguments["classes"] = row.classes
    return with_overrides(arguments, overrides)


def weights_row(row):
    """Id of the row whose checkpoint `row` uses.

    Raises:
        ValueError: when there is none.
    """
    if row.checkpoints:
        return row.id
    if row.trained_by:
        return row.trained_by
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
