"""`preprocess_input` and `decode_predictions`, as keras.applications has them."""

import numpy as np
from keras import ops

from keras_video import zoo

# Mean and deviation of ImageNet's pixels in RGB order, 0 to 255, as torchvision uses them.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


def preprocess_input(x, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """Normalizes pixels per channel.

    Args:
        x: pixels of 0 to 255, RGB, channels last, any rank; an array or a tensor.
        mean, std: per channel. Rows differ: `model.preprocessing` has those of loaded weights.

    Returns:
        float32 of the same shape and kind.
    """
    mean, std = np.asarray(mean, "float32"), np.asarray(std, "float32")
    if isinstance(x, np.ndarray):
        return (x.astype("float32") - mean) / std
    return (ops.cast(x, "float32") - mean) / std


def decode_predictions(scores, top=5, dataset=None, class_names=None, model=None):
    """The best classes of each prediction.

    Args:
        scores: `(batch, classes)` or `(classes,)`; of one output, the probability of the second of
            two names.
        top: how many to give.
        dataset: whose class names to use, a name of `keras_video.zoo.label_map`; "kinetics400" if
            nothing else is given.
        class_names: names to use instead.
        model: whose own classes to use instead, numbers where it knows no names.

    Returns:
        Per prediction a list of `(index, name, score)`, best first; a single such list for scores
        of rank 1.

    Raises:
        ValueError: if there are not as many names as classes, or more than one of `dataset`,
            `class_names` and `model` is given.
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
    """The names of classes, and what they are of."""
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
