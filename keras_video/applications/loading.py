"""`keras_video.load`: a model from weights of any supported project and location."""

import os
from pathlib import Path

from absl import logging

from keras_video import zoo
from keras_video.applications.architectures import Layers, find_architecture
from keras_video.applications.configs import adopt, facts_of
from keras_video.applications.origins import (
    load_with_row,
    row_of_address,
    rows_by_content,
    rows_by_name,
)
from keras_video.weights.checkpoint import is_checkpoint_name, read_checkpoint
from keras_video.weights.dialects import dialect_of
from keras_video.weights.fetch import fetch
from keras_video.weights.hub import fetch_hub, hub_address, is_hub_address
from keras_video.weights.keras_files import load_model
from keras_video.weights.loading import load_state
from keras_video.weights.name_mapping import WeightsError
from keras_video.weights.safetensors_file import INDEX_SUFFIX, listed_files
from keras_video.weights.tensorflow_file import find_prefix


def load(what, *, dialect=None, **arguments):
    """Loads the model of a checkpoint, a row of the zoo, or a `.keras` file, with its weights.

    A published checkpoint is recognized by its address, its hash, or its file name if no hash is
    published, and gets the classes and the preprocessing of its row. For any other checkpoint, the
    constructor and its arguments are inferred from the names and shapes of the tensors. What these
    do not determine, such as the frames that SlowFast's pathways receive, is read from the
    configuration in the file or the `config.json` next to it, or must be given.

    Args:
        what: one of
            a path of a checkpoint that `keras_video.weights.read_checkpoint` reads, or of a
            `.keras` file;
            an http or https URL of such a file, which is cached; it may end in `#sha256=` and a
            hash to verify;
            `hf://user/name[/file][@revision]`, a repository of the Hugging Face Hub (needs
            keras-video[hub]);
            a `keras_video.zoo.Row` with published weights, or its name or id.
        dialect: dialect of the tensor names in the checkpoint; recognized if not given. See
            `keras_video.weights.dialects`.
        **arguments: arguments of the constructor, such as `input_shape` or
            `classifier_activation`; they take precedence over inferred ones.

    Returns:
        A `keras_video.applications.model.VideoModel`.

    Raises:
        FileNotFoundError: if `what` is neither a file nor a row.
        FetchError: if the download fails.
        ImportError: if a required package is not installed; the message names it.
        ValueError: if undetermined arguments are missing (the message lists them), or if arguments
            or a dialect are given where they have no effect.
        WeightsError: if the names match no dialect, the network is none of
            `keras_video.applications`, or the tensors do not fit it.
    """
    if isinstance(what, zoo.Row):
        return load_row(what, dialect, arguments)
    if not isinstance(what, str | os.PathLike):
        raise ValueError(f"received {what!r:.80}, expected a path, an address, or a row of the zoo")
    text = os.fspath(what)
    if is_hub_address(text) or text.startswith(("http://", "https://")):
        return load_address(text, dialect, arguments)
    path = Path(what)
    is_file = path.is_file() or path.suffix == ".keras" or find_prefix(path) is not None
    if is_file:
        return load_file(path, dialect, arguments)
    if not is_checkpoint_name(path) and text in zoo.catalog.names():
        return load_row(zoo.row(text), dialect, arguments)
    raise FileNotFoundError(f"{text!r} is neither a file nor the name or id of a row.")


def load_row(row, dialect, arguments):
    """The model of a row with its published weights.

    Raises:
        ValueError: if a dialect is given; the row has its own.
    """
    if dialect is not None:
        raise ValueError(f"dialect={dialect!r}: a row of the zoo needs none.")
    return row.model(weights=True, **arguments)


def load_address(text, dialect, arguments):
    """The model of the file at an address, or of the row that is published there."""
    row = row_of_address(text) if dialect is None else None
    if row is not None:
        logging.info("%s is the checkpoint of %s (%s).", text, row.name, row.id)
        return load_row(row, None, arguments)
    if is_hub_address(text):
        return load_file(fetch_hub(hub_address(text)), dialect, arguments)
    path = fetch(text)
    if path.name.endswith(INDEX_SUFFIX):
        for name in listed_files(path):
            fetch(text[: text.index(path.name)] + name)
    return load_file(path, dialect, arguments)


def load_file(path, dialect, arguments):
    """The model of a local file."""
    if path.suffix == ".keras":
        return load_keras(path, {**arguments, **({"dialect": dialect} if dialect else {})})
    if path.name.endswith(".h5"):
        raise ValueError(
            f"{str(path)!r} has no names that identify its network: build the model, and pass "
            "the file as its weights=."
        )
    if dialect is None:
        if path.is_file():
            for row in rows_by_content(path):
                return load_with_row(row, path, arguments)
        for row in rows_by_name(path):
            try:
                return load_with_row(row, path, arguments)
            except WeightsError:
                logging.warning(
                    "%s has a checkpoint of this name, but for another network.", row.name
                )
    return load_checkpoint(path, dialect, arguments)


def load_keras(path, arguments):
    """A saved model.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if arguments are given, which a saved model does not take.
    """
    if not path.exists():
        raise FileNotFoundError(f"{str(path)!r}: there is no such file.")
    if arguments:
        raise ValueError(f"{path.name} is a complete model and takes no {', '.join(arguments)}.")
    return load_model(path)


def load_checkpoint(path, dialect, arguments):
    """The model that a checkpoint's tensor names and shapes identify, with its weights."""
    from keras_video import applications

    state = read_checkpoint(path)
    dialect = dialect_of(state, dialect)
    architecture = find_architecture(state, dialect)
    if architecture is None:
        raise WeightsError(
            f"{path}: names of the dialect {dialect.name}, but shapes of none of the networks in "
            "keras_video.applications."
        )
    constructor, resolved = resolve_arguments(path, architecture, dialect, arguments)
    resolved.update(classifier_arguments(path, state, dialect, resolved))
    logging.info("%s: %s(%s), dialect %s.", path.name, constructor, resolved, dialect.name)
    model = getattr(applications, constructor)(**resolved)
    top = resolved.get("include_top", True)
    load_state(model, state, head=top, dialect=dialect)
    adopt(model, path, names=top)
    return model


def resolve_arguments(path, architecture, dialect, given):
    """The constructor and its arguments: given, inferred, configured, or the dialect's defaults.

    Args:
        path: path of the checkpoint.
        architecture: the network that its names and shapes identify.
        dialect: dialect of its names.
        given: arguments that the user passed.

    Raises:
        ValueError: listing the arguments that none of these determines.
    """
    known = dict(dialect.arguments.get(architecture.constructor, {}))
    known.update(facts_of(path, inside=bool(architecture.undetermined) and path.is_file()))
    undetermined = [*architecture.undetermined]
    if "input_shape" not in architecture.arguments:
        undetermined.append("input_shape")
    configured = {name: known[name] for name in undetermined if name in known}
    resolved = {**architecture.arguments, **configured, **given}
    missing = {
        name: text for name, text in architecture.undetermined.items() if name not in resolved
    }
    if missing and not architecture.decided(given):
        lines = ", ".join(f"{name} ({text})" for name, text in missing.items())
        raise ValueError(
            f"{path.name} is a {architecture.constructor}, but names and shapes do not determine "
            f"its {lines}. Give {'it' if len(missing) == 1 else 'them'}, as in "
            f"keras_video.load(file, {', '.join(f'{name}=...' for name in missing)})."
        )
    return architecture.chosen(resolved)


def classifier_arguments(path, state, dialect, resolved):
    """`classes`, or `include_top=False` for a checkpoint without a classifier."""
    if "classes" in resolved or "include_top" in resolved:
        return {}
    classes = Layers.of(state, dialect).classes()
    if classes is None:
        logging.warning("%s has no classifier for clips: the model outputs features.", path.name)
        return {"include_top": False}
    return {"classes": classes}
