"""A functional model built anew with other layers in place of some."""

import keras

# What the models of `keras_video.applications` carry besides layers and weights.
CARRIED = ("class_names", "preprocessing")


def require_functional(model, caller):
    """Refuses other models, in the name of the function that a user called.

    Raises:
        ValueError: if `model` is not a functional model.
    """
    if not isinstance(model, keras.Function):
        raise ValueError(f"{caller}: expected a functional model, received {model!r}.")


def clone_with(model, replace, transfer, call=None):
    """A model of the same class, inputs, outputs and names of classes, with layers of its own.

    Args:
        model: a functional model; models inside it are rebuilt as well. What `enable_lora` has
            added to it is merged.
        replace: function of a layer that gives the new layer in its place, the layer itself where
            it is only looked at, or `None` for a copy with its weights.
        transfer: `transfer(layer, new)` gives a new layer its weights, once it is built.
        call: function of a new layer and its inputs in place of the layer's own call.
    """
    if hasattr(model, "merge_lora"):
        model = model.merge_lora()
    made = []

    def clone(layer):
        new = replace(layer)
        if new is layer:
            return layer
        copy = type(layer).from_config(layer.get_config()) if new is None else new
        made.append((layer, copy, copy_weights if new is None else transfer))
        return copy

    changed = keras.models.clone_model(
        model, clone_function=clone, call_function=call, recursive=True
    )
    for layer, copy, give_weights in made:
        give_weights(layer, copy)
    for attribute in CARRIED:
        if hasattr(model, attribute):
            setattr(changed, attribute, getattr(model, attribute))
    return changed


def copy_weights(layer, copy):
    """Gives a copy of a layer its weights."""
    copy.set_weights(layer.get_weights())
