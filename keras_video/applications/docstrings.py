"""Docstring text shared by all constructors."""

import inspect
import re

SHARED = {
    "include_top": "whether to include the classification head.",
    "weights": "pretrained weights, see `keras_video.applications.pretrained.load_pretrained`.",
    "input_tensor": "optional Keras tensor to use as the model's input.",
    "classes": "number of classes.",
    "classifier_activation": '"softmax", "sigmoid" for multi-label data, or `None` for logits.',
    "name": "name of the model.",
}
RETURNS = "A `keras.Model` that maps normalized float clips to float32 `(batch, classes)`."


def documented(constructor):
    """Decorator that completes the docstring of a constructor.

    Arguments of `SHARED` that the docstring does not document are added to its "Args" section, in
    signature order, and a "Returns" section if it has none. The function itself is unchanged.
    """
    head, arguments, tail = _split(inspect.cleandoc(constructor.__doc__))
    entries = {_names(entry)[0]: entry for entry in arguments}
    documented_names = {name for entry in arguments for name in _names(entry)}
    parameters = list(inspect.signature(constructor).parameters)
    missing = [name for name in SHARED if name in parameters and name not in documented_names]
    entries |= {name: f"    {name}: {SHARED[name]}" for name in missing}
    ordered = sorted(entries, key=parameters.index)
    if "\nReturns:" not in tail:
        tail = f"\n\nReturns:\n    {RETURNS}{tail}"
    constructor.__doc__ = head + "\n".join(entries[name] for name in ordered) + tail
    return constructor


def _split(text):
    """Splits a docstring into the text before its arguments, their entries, and the rest."""
    before, marker, rest = text.partition("\nArgs:\n")
    arguments, *tail = re.split(r"(?=\n\n)", rest, maxsplit=1)
    return before + marker, re.split(r"\n(?=    \S)", arguments), "".join(tail)


def _names(entry):
    """The arguments that an entry documents."""
    return [name.strip() for name in entry.partition(":")[0].split(",")]
