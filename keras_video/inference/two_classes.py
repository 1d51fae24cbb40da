"""Binary classifiers with one output: the probability of the second class."""

import numpy as np


def class_count(model):
    """Number of classes of a model: its number of outputs, or two for a single output."""
    return max(model.outputs[0].shape[-1], 2)


def both_classes(scores):
    """Scores `(..., classes)` with a column per class: two for a single output `(..., 1)`."""
    if scores.shape[-1] != 1:
        return scores
    return np.concatenate([1 - scores, scores], axis=-1)


def names_of(outputs, class_names=None):
    """A name for each class, given the number of outputs.

    Args:
        outputs: number of outputs of a model.
        class_names: a name per class; for a single output two names, or that of the second class;
            `None` numbers the classes.

    Raises:
        ValueError: if the numbers of names and classes differ.
    """
    classes = max(outputs, 2)
    names = list(map(str, range(classes) if class_names is None else class_names))
    if outputs == 1 and len(names) == 1:
        names = [f"not {names[0]}", *names]
    if len(names) != classes:
        raise ValueError(
            f"received {outputs} outputs for {classes} classes but {len(names)} class names, "
            "expected a name per class"
        )
    return names


def class_names_of(model):
    """A name for each class of a model: its class names, or else numbers as text.

    A single output stands for two classes.
    """
    return names_of(model.outputs[0].shape[-1], getattr(model, "class_names", None) or None)
