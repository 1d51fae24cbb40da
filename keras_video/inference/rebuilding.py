"""A functional model built anew with other layers, as folding and fast convolutions need it."""

import keras

# What a model carries besides layers and weights.
ATTRIBUTES = ("class_names", "preprocessing")


def require_functional(model, caller):
    """Refuses other models, in the name of the function that a user called.

    Raises:
        ValueError: if `model` is not a functional model.
    """
    if not isinstance(model, keras.Function):
        raise ValueError(f"{caller}: expected a functional model, received {model!r}.")


def rebuilt(model, clone, call=None):
    """A model of the same class, inputs, outputs and attributes whose layers `clone` made.

    Args:
        model: a functional model; models inside it are rebuilt as well.
        clone: function of a layer that gives the layer in its place.
        call: function of a new layer and its inputs in place of the layer's own call.
    """
    new = keras.models.clone_model(model, clone_function=clone, call_function=call, recursive=True)
    for attribute in ATTRIBUTES:
        if hasattr(model, attribute):
            setattr(new, attribute, getattr(model, attribute))
    return new
