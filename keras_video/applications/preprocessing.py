"""`preprocess_input` and `decode_predictions`, as in keras.applications."""

import numpy as np
from keras import ops

from keras_video import zoo

# Mean and standard deviation of ImageNet pixels (RGB, 0 to 255), as in torchvision.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


def preprocess_input(x, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """Normalizes pixels per channel.

    Args:
        x: RGB pixels from 0 to 255, channels last, of any rank; an array or a tensor.
        mean, std: per channel. They depend on the weights: `model.preprocessing` has those of
            loaded weights.

    Returns:
        A float32 array or tensor of the same shape.
    """
    mean, std = np.asarray(mean, "float32"), np.asarray(std, "float32")
    if isinstance(x, np.ndarray):
        return (x.astype("float32") - mean) / std
    return (ops.cast(x, "float32") - mean) / std


def decode_predictions(scores, top=5, dataset=None, class_names=None, model=None):
    """The top classes of each prediction.

    Args:
        scores: `(batch, classes)` or `(classes,)`; a single output is the probability of the second
            of two names.
        top: number of classes to return.
        dataset: name of a `keras_video.zoo.label_map` with the class names; "kinetics400" if
            nothing else is given.
        class_names: names to use instead.
        model: model whose class names to use instead; class numbers if it has no names.

    Returns:
        For each prediction a list of `(index, name, score)`, best first; a single list for scores
        of rank 1.

    Raises:
        ValueError: if the number of names differs from the number of classes, or more than one of
            `dataset`, `class_names` and `model` is given.
    """
    scores = np.asarray(scores)
    names, source = _names(dataset, class_names, model)
    if scores.ndim in (1, 2) and scores.shape[-1] == 1 and len(names) == 2:
        scores = np.concatenate([1 - scores, scores], axis=-1)
    if scores.ndim not in (1, 2) or scores.shape[-1] != len(names):
        raise ValueError(
            f"scores of shape {scores.shape}: expected (batch, {len(names)}) or ({len(names)},), "
            f"for the {len(names)} names of {source}."
        )
    decoded = [
        [(int(i), names[i], float(row[i])) for i in np.argsort(-row, kind="stable")[:top]]
        for row in np.atleast_2d(scores)
    ]
    return decoded[0] if scores.ndim == 1 else decoded


def _names(dataset, class_names, model):
    """The class names, and a description of their source for messages."""
    given = {"dataset": dataset, "class_names": class_names, "model": model}
    given = [name for name, value in given.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"received {' and '.join(given)}, expected one of them")
    if class_names is not None:
        return class_names, "class_names"
    if model is None:
        return zoo.label_map(dataset or "kinetics400"), dataset or "kinetics400"
    outputs, names = model.outputs[0].shape[-1], getattr(model, "class_names", None)
    if names is None:
        names = [str(number) for number in range(max(outputs, 2))]
    elif outputs == 1 and len(names) == 1:
        names = [f"not {names[0]}", *names]
    return names, f"model {model.name!r}"
