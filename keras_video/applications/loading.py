"""`keras_video.load`: a model from weights, whoever wrote them and wherever they are."""

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
    """The model of a checkpoint, of a row of the zoo, or of a `.keras` file, with its weights.

    A published checkpoint is known by its address, its content, or its name where no hash is
    published, and gets the classes and the preprocessing of its row. Of any other the constructor
    and its arguments are told by the names and shapes of the tensors. What these do not determine,
    such as the frames that SlowFast's pathways see, is taken from the configuration in the file or
    the `config.json` beside it, or must be given.

    Args:
        what: one of
            a path of a checkpoint that `keras_video.weights.read_checkpoint` reads, or of a
            `.keras` file;
            an address of http or https of such a file, which is kept in the cache; it may end in
            `#sha256=` and a hash that is checked;
            `hf://user/name[/file][@revision]`, a repository of the Hugging Face Hub (needs
            keras-video[hub]);
            a `keras_video.zoo.Row` with published weights, or its name or id.
        dialect: name of the dialect of the checkpoint's names; recognized if not given. See
            `keras_video.weights.dialects`.
        **arguments: of the constructor, such as `input_shape` or `classifier_activation`; they go
            before what is found.

    Returns:
        A `keras_video.applications.model.VideoModel`.

    Raises:
        FileNotFoundError: if `what` is neither a file nor a row.
        FetchError: if an address cannot be fetched.
        ImportError: if a package that it needs is not installed; it says which.
        ValueError: if arguments that are not determined are missing, which it lists; or if
            arguments or a dialect are given where they have no effect.
        WeightsError: if the names are of no dialect, the network is none of
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
        ValueError: for a dialect, which a row has.
    """
    if dialect is not None:
        raise ValueError(f"dialect={dialect!r}: a row of the zoo needs none.")
    return row.model(weights=True, **arguments)


def load_address(text, dialect, arguments):
    """The model of what is at an address, of a row where it is published there."""
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
    """The model of a file on this machine."""
    if path.suffix == ".keras":
        return load_keras(path, {**arguments, **({"dialect": dialect} if dialect else {})})
    if path.name.endswith(".h5"):
        raise ValueError(
            f"{str(path)!r} holds no names that tell its network: build the model, and give the "
            "file as its weights=."
        )
    if dialect is None:
        if path.is_file():
            for row in rows_by_content(path):
                return load_with_row(row, path, arguments)
        for row in rows_by_name(path):
            try:
                return load_with_row(row, path, arguments)
            except WeightsError:
                logging.warning("%s has the name of its file, but another network.", row.name)
    return load_checkpoint(path, dialect, arguments)


def load_keras(path, arguments):
    """A saved model.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for arguments, which a saved model does not take.
    """
    if not path.exists():
        raise FileNotFoundError(f"{str(path)!r}: there is no such file.")
    if arguments:
        raise ValueError(f"{path.name} is a whole model, and takes no {', '.join(arguments)}.")
    return load_model(path)


def load_checkpoint(path, dialect, arguments):
    """The model that a checkpoint's names and shapes tell, with its weights."""
    from keras_video import applications

    state = read_checkpoint(path)
    dialect = dialect_of(state, dialect)
    found = find_architecture(state, dialect)
    if found is None:
        raise WeightsError(
            f"{path}: names of the dialect {dialect.name}, but shapes of none of the networks of "
            "keras_video.applications."
        )
    constructor, settled = settle(path, found, dialect, arguments)
    settled.update(classifier_arguments(path, state, dialect, settled))
    logging.info("%s: %s(%s), dialect %s.", path.name, constructor, settled, dialect.name)
    model = getattr(applications, constructor)(**settled)
    top = settled.get("include_top", True)
    load_state(model, state, head=top, dialect=dialect)
    adopt(model, path, names=top)
    return model


def settle(path, found, dialect, given):
    """The constructor and its arguments: given, found, in a configuration, or the project's.

    Raises:
        ValueError: with the arguments that none of these has.
    """
    known = dict(dialect.arguments.get(found.constructor, {}))
    known.update(facts_of(path, inside=bool(found.undetermined) and path.is_file()))
    wanted = [*found.undetermined, *([] if "input_shape" in found.arguments else ["input_shape"])]
    settled = {name: known[name] for name in wanted if name in known}
    settled = {**found.arguments, **settled, **given}
    missing = {name: text for name, text in found.undetermined.items() if name not in settled}
    if missing and not found.decided(given):
        lines = ", ".join(f"{name} ({text})" for name, text in missing.items())
        raise ValueError(
            f"{path.name} is a {found.constructor}, but names and shapes do not tell its {lines}. "
            f"Give {'it' if len(missing) == 1 else 'them'}, as in "
            f"keras_video.load(file, {', '.join(f'{name}=...' for name in missing)})."
        )
    return found.chosen(settled)


def classifier_arguments(path, state, dialect, settled):
    """`classes`, or `include_top=False` for a checkpoint without a classifier."""
    if "classes" in settled or "include_top" in settled:
        return {}
    classes = Layers.of(state, dialect).classes()
    if classes is None:
        logging.warning("%s has no classifier for clips: the model gives features.", path.name)
        return {"include_top": False}
    return {"classes": classes}
