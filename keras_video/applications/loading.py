"""`keras_video.load`: a model from a file of weights, whoever wrote it."""

import hashlib
import json
from pathlib import Path

from absl import logging

from keras_video import zoo
from keras_video.applications.architectures import Layers, find_architecture
from keras_video.weights.checkpoint import is_checkpoint_name, read_checkpoint
from keras_video.weights.dialects import dialect_of
from keras_video.weights.keras_files import load_model
from keras_video.weights.loading import load_state
from keras_video.weights.names import WeightsError
from keras_video.weights.tensorflow_file import find_prefix

# What configurations beside a file call the arguments of constructors.
CONFIG_NAMES = {"num_attention_heads": "num_heads"}
CHUNK = 1 << 20


def load(what, *, dialect=None, **arguments):
    """The model of a checkpoint, of a row of the zoo, or of a `.keras` file, with its weights.

    A published checkpoint is known by its content (by its name, where no hash is published) and
    gets the classes and the preprocessing of its row. Of any other the constructor and its
    arguments are told by the names and shapes of the tensors. What these do not determine, such as
    the frames that SlowFast's pathways see, is taken from a `config.json` beside the file, or must
    be given.

    Args:
        what: path of a checkpoint that `keras_video.weights.read_checkpoint` reads, or of a
            `.keras` file; or name or id of a row with published weights.
        dialect: name of the dialect of the checkpoint's names; recognized if not given. See
            `keras_video.weights.dialects`.
        **arguments: of the constructor, such as `input_shape` or `classifier_activation`; they go
            before what is found.

    Returns:
        A `keras_video.applications.model.VideoModel`.

    Raises:
        FileNotFoundError: if `what` is neither a file nor a row.
        ValueError: if arguments that are not determined are missing, which it lists; or if
            arguments or a dialect are given where they have no effect.
        WeightsError: if the names are of no dialect, the network is none of
            `keras_video.applications`, or the tensors do not fit it.
    """
    path = Path(what)
    if path.suffix == ".keras":
        return load_keras(path, {**arguments, **({"dialect": dialect} if dialect else {})})
    if not path.is_file() and find_prefix(path) is None:
        if not is_checkpoint_name(path) and str(what) in zoo.catalogue.names():
            if dialect is not None:
                raise ValueError(f"dialect={dialect!r}: a row of the zoo needs none.")
            return zoo.row(str(what)).model(weights=True, **arguments)
        raise FileNotFoundError(f"{str(what)!r} is neither a file nor the name or id of a row.")
    if path.name.endswith(".h5"):
        raise ValueError(
            f"{str(what)!r} holds no names that tell its network: build the model, and give the "
            "file as its weights=."
        )
    row = published_row(path) if dialect is None and path.is_file() else None
    if row is not None:
        logging.info("%s is the checkpoint of %s (%s).", path.name, row.name, row.id)
        try:
            return row_model(row, path, arguments)
        except WeightsError:
            if row.checkpoint.sha256_prefix is not None:
                raise
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


def published_row(path):
    """The row whose published checkpoint this file is; `None` if it is none.

    It is known by its hash, and by its name where the project publishes no hash.
    """
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    content = digest.hexdigest()
    for row in zoo.rows(kind="model"):
        for checkpoint in row.checkpoints:
            if checkpoint.sha256_prefix and content.startswith(checkpoint.sha256_prefix):
                return row
            if checkpoint.file == path.name and checkpoint.sha256_prefix is None:
                return row
            if checkpoint.file == path.name:
                logging.warning(
                    "%s is called as the checkpoint of %s, but is another file.",
                    path.name, row.name,
                )  # fmt: skip
    return None


def row_model(row, path, arguments):
    """A row's model with its weights from a file."""
    from keras_video.zoo.building import build_row_model

    model = build_row_model(row, str(path), arguments)
    model.protocol = row.protocol("test")
    if model.outputs[0].shape[-1] == row.classes:
        model.class_names = row.class_names
    return model


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
    settled = settle(path, found, dialect, arguments)
    settled.update(classifier_arguments(path, state, dialect, settled))
    logging.info("%s: %s(%s), dialect %s.", path.name, found.constructor, settled, dialect.name)
    model = getattr(applications, found.constructor)(**settled)
    load_state(model, state, head=settled.get("include_top", True), dialect=dialect)
    return model


def settle(path, found, dialect, given):
    """The arguments of the constructor: given, found, in a configuration, or the project's.

    Raises:
        ValueError: with the arguments that none of these has.
    """
    known = {**dialect.arguments.get(found.constructor, {}), **beside(path)}
    settled = {name: known[name] for name in found.undetermined if name in known}
    settled = {**found.arguments, **settled, **given}
    missing = {name: text for name, text in found.undetermined.items() if name not in settled}
    if missing:
        lines = ", ".join(f"{name} ({text})" for name, text in missing.items())
        raise ValueError(
            f"{path.name} is a {found.constructor}, but names and shapes do not tell its {lines}. "
            f"Give {'it' if len(missing) == 1 else 'them'}, as in "
            f"keras_video.load(file, {', '.join(f'{name}=...' for name in missing)})."
        )
    return settled


def beside(path):
    """What the `config.json` of a file's folder says, by the names of arguments here."""
    config = path.with_name("config.json")
    if not config.is_file():
        return {}
    try:
        facts = json.loads(config.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{config}: expected JSON: {error}") from None
    return {ours: facts[theirs] for theirs, ours in CONFIG_NAMES.items() if theirs in facts}


def classifier_arguments(path, state, dialect, settled):
    """`classes`, or `include_top=False` for a checkpoint without a classifier."""
    if "classes" in settled or "include_top" in settled:
        return {}
    classes = Layers.of(state, dialect).classes()
    if classes is None:
        logging.warning("%s has no classifier for clips: the model gives features.", path.name)
        return {"include_top": False}
    return {"classes": classes}
