"""The parts of docstrings that all constructors share, stated once."""

import inspect
import re

SHARED = {
    "include_top": "whether to have the classifier.",
    "weights": "see `keras_video.applications.pretrained.load_pretrained`.",
    "input_tensor": "a Keras tensor to build on.",
    "classes": "number of outputs.",
    "classifier_activation": '"softmax", "sigmoid" for several labels, `None` for logits.',
    "name": "of the model.",
}
RETURNS = "A `keras.Model` from normalized float clips to `(batch, classes)` float32."


def documented(constructor):
    """Completes the docstring of a constructor: a decorator.

    Arguments of `SHARED` that the docstring does not speak of are added to its "Args", all in the
    order of the signature, and "Returns" where it has none. The function itself stays as it is.
    """
    head, arguments, tail = _parted(inspect.cleandoc(constructor.__doc__))
    entries = {_names(entry)[0]: entry for entry in arguments}
    said = {name for entry in arguments for name in _names(entry)}
    parameters = list(inspect.signature(constructor).parameters)
    missing = [name for name in SHARED if name in parameters and name not in said]
    entries |= {name: f"    {name}: {SHARED[name]}" for name in missing}
    ordered = sorted(entries, key=parameters.index)
    if "\nReturns:" not in tail:
        tail = f"\n\nReturns:\n    {RETURNS}{tail}"
    constructor.__doc__ = head + "\n".join(entries[name] for name in ordered) + tail
    return constructor


def _parted(text):
    """A docstring up to its arguments, the arguments, and what follows them."""
    before, marker, rest = text.partition("\nArgs:\n")
    arguments, *tail = re.split(r"(?=\n\n)", rest, maxsplit=1)
    return before + marker, re.split(r"\n(?=    \S)", arguments), "".join(tail)


def _names(entry):
    """The arguments that an entry is about."""
    return [name.strip() for name in entry.partition(":")[0].split(",")]
