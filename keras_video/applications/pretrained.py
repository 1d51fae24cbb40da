"""`weights=` of every constructor: the accepted values, and how they are loaded."""

import hashlib
import inspect
import json
import os
from pathlib import Path

from absl import logging

from keras_video import zoo
from keras_video.applications.configs import adopt
from keras_video.applications.origins import is_free, warn_license
from keras_video.weights.checkpoint import is_checkpoint_name, read_checkpoint
from keras_video.weights.fetch import cached_conversion, fetch, fetch_mirrored
from keras_video.weights.hub import fetch_published
from keras_video.weights.keras_files import load_model, load_weights
from keras_video.weights.loading import (
    head_fits,
    load_built,
    load_initial_weights,
    load_saved,
    load_state,
)
from keras_video.weights.tensorflow_file import find_prefix

KERAS_SUFFIXES = (".h5", ".keras")
IMAGENETS = ("ImageNet-1K", "ImageNet-21K")


def load_pretrained(model, weights, *, constructor, arguments, allow_noncommercial=False):
    """Loads the weights that the `weights` argument of a constructor specifies.

    Args:
        model: the newly built model.
        weights: one of
            `None`: nothing is loaded;
            a path to a checkpoint that `keras_video.weights.read_checkpoint` reads (`.pth`, `.pt`,
            `.pyth`, `.pth.tar`, `.bin`, `.ckpt`, `.pkl`, `.safetensors`, `.npz`, TensorFlow's), a
            `.weights.h5` or a `.keras` file;
            the name or id of a row of the zoo;
            the name of a dataset ("kinetics400"): the constructor's best published row with these
            arguments and a license that permits commercial use;
            "imagenet": the image classifier that the published rows of this body started from.
            If a row's classes differ from the model's, only the body is loaded; the classifier
            keeps its initial weights, which is logged.
        constructor: the function that built it.
        arguments: its arguments that determine the body (depth, segments, ...).
        allow_noncommercial: whether the name of a dataset may also select weights that are
            licensed for non-commercial use only.

    Returns:
        The model.

    Raises:
        ValueError: if `weights` is unknown, or no published row has these arguments.
        WeightsError: if the file does not fit the model.
        FetchError: if the checkpoint cannot be fetched; the message says which file to put where.
    """
    if weights is None:
        return model
    if os.fspath(weights).endswith(KERAS_SUFFIXES) or is_checkpoint_name(weights):
        load_file(model, Path(weights))
    elif weights == "imagenet":
        load_imagenet(model, constructor, arguments)
    else:
        row = named_row(model, weights, constructor, arguments, allow_noncommercial)
        load_row(model, row)
    return model


def load_row(model, row):
    """Loads a row's published weights, and sets the model's protocol and class names.

    A classifier for other classes keeps its initial weights, which is logged, and gets no names.

    Args:
        model: the row's network.
        row: a row with a checkpoint.

    Raises:
        WeightsError: if the file does not fit the model.
        FetchError: if the checkpoint cannot be fetched; the message says which file to put where.
    """
    classes = model.outputs[0].shape[-1]
    head = has_classifier(model) and classes == row.classes
    if has_classifier(model) and not head:
        logging.warning(
            "%s has %d classes, the model %s: its classifier keeps its initial weights.",
            row.name, row.classes, classes,
        )  # fmt: skip
    model.protocol = row.protocol("test")
    if head:
        model.class_names = row.class_names
    load_published(model, row, head=head)
    warn_license(row)


def load_file(model, path):
    """Loads a checkpoint or a Keras file.

    Raises:
        FileNotFoundError: if there is no such file.
        UnsafeFileError: if a Keras file could run code, read other files or exhaust memory.
    """
    checkpoint = path.suffix not in KERAS_SUFFIXES
    if not (path.is_file() or checkpoint and find_prefix(path)):
        raise FileNotFoundError(f"weights={str(path)!r}: there is no such file.")
    if checkpoint:
        load_state(model, read_checkpoint(path), head=has_classifier(model))
    elif path.suffix == ".keras":
        saved = load_model(path)
        try:
            model.set_weights(saved.get_weights())
        except ValueError as error:
            raise ValueError(f"weights={str(path)!r} do not fit the model: {error}") from error
        model.class_names = getattr(saved, "class_names", None)
        model.preprocessing = getattr(saved, "preprocessing", None)
    else:
        load_weights(model, path)


def load_published(model, row, *, head):
    """Loads a row's weights from the mirror, if one is set and has them, or from its checkpoint.

    The checkpoint is downloaded, and its conversion is cached if all of it is loaded.
    """
    mirrored = fetch_mirrored(row.id)
    if mirrored is not None:
        path, entry = mirrored
        saved = load_model(path)
        load_built(model, saved, skipped=() if head else entry.head)
        if head and model.class_names is None:
            model.class_names = getattr(saved, "class_names", None)
        return
    checkpoint = row.checkpoints[0]
    path = fetch_published(checkpoint.url, checkpoint.sha256_prefix)

    def convert(target):
        load_state(model, read_checkpoint(path), head=head, dialect=row.dialect)
        model.save_weights(target)

    if head or not has_classifier(model):
        load_weights(model, cached_conversion(path, signature(model), convert))
    else:
        load_state(model, read_checkpoint(path), head=False, dialect=row.dialect)
    adopt(model, path, names=head)


def has_classifier(model):
    """Whether the model ends in a classifier."""
    return any(layer.name == "predictions" for layer in model.layers)


def signature(model):
    """A short hash of the names and shapes of the model's variables, and of its patch grids."""
    lines = [f"{variable.path} {tuple(variable.shape)}" for variable in model.weights]
    # Position tables of 4 x 6 and 6 x 4 patches have the same length, but are interpolated
    # differently.
    lines += [
        f"{layer.name} {tuple(layer.grid)}" for layer in model.layers if hasattr(layer, "grid")
    ]
    text = "\n".join(lines)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def load_imagenet(model, constructor, arguments):
    """Loads the ImageNet classifier that the published rows of this body started from.

    Raises:
        ValueError: if no published row with these arguments starts from ImageNet.
    """
    for row in matching_rows(model, constructor, arguments):
        if row.initial_weights is not None and row.initial_weights.trained_on in IMAGENETS:
            load_row_initial_weights(model, row)
            return
    raise ValueError(
        f"weights='imagenet': no published row of {constructor.__name__} with {arguments} starts "
        "from ImageNet weights with a known address."
    )


def load_row_initial_weights(model, row):
    """Loads the weights that the published training of a row started from.

    Returns:
        The keys of the model's variables that are missing in these weights.

    Raises:
        ValueError: if it started from random weights.
    """
    if row.initial_weights is None:
        raise ValueError(
            f"{row.id} ({row.name}): the published training starts from random weights."
        )
    return load_initial_weights(
        model, read_checkpoint(fetch(row.initial_weights.url, row.initial_weights.sha256_prefix))
    )


def load_initial_file(model, path):
    """Loads a checkpoint or a saved model as the initial weights of a training run.

    A classifier that the file lacks, or has for other classes, keeps its initial weights, which is
    logged.

    Raises:
        FileNotFoundError: if there is no such file.
        WeightsError: if anything else does not fit the model.
    """
    if not path.is_file() and find_prefix(path) is None:
        raise FileNotFoundError(f"weights={str(path)!r}: there is no such file.")
    if path.suffix == ".keras":
        fresh = load_saved(model, load_model(path))
    elif head_fits(model, state := read_checkpoint(path)):
        load_state(model, state)
        fresh = []
    else:
        fresh = load_initial_weights(model, state)
    if fresh:
        logging.warning("%s: not loaded, with initial weights: %s.", path.name, ", ".join(fresh))


def named_row(model, weights, constructor, arguments, allow_noncommercial=False):
    """The row that `weights` names: by its name or id, or the best row trained on a dataset.

    Raises:
        ValueError: if no row has these arguments; the message lists the available datasets.
    """
    datasets = sorted({row.dataset for row in zoo.rows()})
    if weights not in datasets:
        row = zoo.row(weights)
        if not row.checkpoints:
            raise ValueError(f"weights={weights!r}: the row has no published checkpoint.")
        return row
    rows = matching_rows(model, constructor, arguments)
    candidates = [row for row in rows if row.dataset == weights and row.checkpoints]
    if not candidates:
        known = sorted({row.dataset for row in rows if row.checkpoints})
        raise ValueError(
            f"weights={weights!r}: no published row of {constructor.__name__} with {arguments}; "
            f"with these arguments there are weights for {known or 'no dataset'}."
        )
    allowed = [row for row in candidates if allow_noncommercial or is_free(row)]
    if not allowed:
        known = ", ".join(f"{row.name!r} ({row.license})" for row in candidates)
        raise ValueError(
            f"weights={weights!r}: only weights for non-commercial use are published: {known}. "
            "Pass allow_noncommercial=True, or the name of such a row."
        )
    row = max(
        allowed, key=lambda row: row.reported.top1 or row.reported.mean_average_precision or 0
    )
    logging.info("weights=%r: loading %s (%s).", weights, row.name, row.id)
    return row


def matching_rows(model, constructor, arguments):
    """Rows of this constructor and number of channels whose arguments match.

    Arguments that a row does not specify have the constructor's defaults.
    """
    parameters = inspect.signature(constructor).parameters
    defaults = {key: parameters[key].default for key in arguments}
    return [
        row
        for row in zoo.rows(kind="model")
        if row.constructor == constructor.__name__
        and row.input_shape[-1] == model.inputs[0].shape[-1]
        and plain({key: row.arguments.get(key, defaults[key]) for key in arguments})
        == plain(arguments)
    ]


def plain(arguments):
    """Arguments in their JSON form: a row has lists where a constructor has tuples."""
    return json.loads(json.dumps(arguments))
