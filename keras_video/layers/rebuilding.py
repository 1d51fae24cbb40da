"""Cloning of functional models with some layers replaced."""

import keras

# Attributes of the models of `keras_video.applications` besides layers and weights.
COPIED_ATTRIBUTES = ("class_names", "preprocessing")


def require_functional(model, caller):
    """Rejects models that are not functional, naming the function that the user called.

    Raises:
        ValueError: if `model` is not a functional model.
    """
    if not isinstance(model, keras.Function):
        raise ValueError(f"{caller}: expected a functional model, received {model!r}.")


def clone_with(model, replace, transfer, call=None):
    """Clones a model with new layers; class, inputs, outputs and class names are the same.

    Args:
        model: a functional model; nested models are cloned as well. LoRA weights added by
            `enable_lora` are merged.
        replace: function of a layer that returns its replacement, the layer itself to reuse it, or
            `None` for a copy with its weights.
        transfer: `transfer(layer, new)` sets the weights of a new layer once it is built.
        call: function of a new layer and its inputs, used instead of the layer's own call.
    """
    if hasattr(model, "merge_lora"):
        model = model.merge_lora()
    copies = []

    def clone(layer):
        new = replace(layer)
        if new is layer:
            return layer
        copy = type(layer).from_config(layer.get_config()) if new is None else new
        copies.append((layer, copy, copy_weights if new is None else transfer))
        return copy

    cloned = keras.models.clone_model(
        model, clone_function=clone, call_function=call, recursive=True
    )
    for layer, copy, set_weights in copies:
        set_weights(layer, copy)
    for attribute in COPIED_ATTRIBUTES:
        if hasattr(model, attribute):
            setattr(cloned, attribute, getattr(model, attribute))
    return cloned


def copy_weights(layer, copy):
    """Copies a layer's weights to its copy."""
    copy.set_weights(layer.get_weights())
