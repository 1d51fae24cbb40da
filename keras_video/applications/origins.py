"""Which row of the zoo a checkpoint is of: by its address, its content or its name."""

import functools
import hashlib

from absl import logging

from keras_video import zoo
from keras_video.applications.configs import adopt
from keras_video.weights.hub import hub_address, is_hub_address
from keras_video.weights.tensorflow_archive import SUFFIXES as ARCHIVES
from keras_video.weights.tensorflow_file import find_prefix

CHUNK = 1 << 20


def row_of_address(text):
    """The row whose own weights are published at an address, or `None`."""
    if is_hub_address(text):
        address = hub_address(text)
        if address.file is not None or address.revision is not None:
            return None
        own = {
            hub_address(row.checkpoint.url).repository: row
            for row in zoo.rows(kind="model")
            if row.checkpoint and is_hub_address(row.checkpoint.url)
        }
        return own.get(address.repository)
    rows = zoo.rows(kind="model")
    return next((row for row in rows if row.checkpoint and row.checkpoint.url == text), None)


def rows_by_content(path):
    """Rows one of whose checkpoints is this file by its hash; such of its name first."""
    content = digest(path)
    found = [
        (checkpoint.file != path.name, row)
        for row in zoo.rows(kind="model")
        for checkpoint in row.checkpoints
        if checkpoint.sha256_prefix and content.startswith(checkpoint.sha256_prefix)
    ]
    return [row for _, row in sorted(found, key=lambda pair: pair[0])]


def rows_by_name(path):
    """Rows of whose checkpoints no hash is published, and one of which has this file's name.

    A TensorFlow checkpoint is known by the name of its archive, which is that of its folder too.
    """
    names = {path.name}
    if find_prefix(path) is not None:
        names |= {f"{one}{suffix}" for one in (path.name, path.parent.name) for suffix in ARCHIVES}
    found = []
    for row in zoo.rows(kind="model"):
        for checkpoint in row.checkpoints:
            if checkpoint.file not in names:
                continue
            if checkpoint.sha256_prefix is None:
                found.append(row)
            else:
                logging.warning(
                    "%s is called as the checkpoint of %s, but is another file.",
                    path.name, row.name,
                )  # fmt: skip
    return found


def digest(path):
    """The SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        found = hashlib.sha256()
        while chunk := file.read(CHUNK):
            found.update(chunk)
    return found.hexdigest()


def load_with_row(row, path, arguments):
    """A row's model with its weights from a file."""
    from keras_video.zoo.building import build_row_model

    logging.info("%s is the checkpoint of %s (%s).", path.name, row.name, row.id)
    model = build_row_model(row, str(path), arguments)
    tell_license(row)
    model.protocol = row.protocol("test")
    whole = row.classes is not None and model.outputs[0].shape[-1] == row.classes
    if whole:
        model.class_names = row.class_names
    adopt(model, path, names=whole)
    return model


def is_free(row):
    """Whether the weights of a row may be used commercially, as far as their license is known."""
    return "-NC" not in (row.license or "")


def tell_license(row):
    """Logs once per row that its weights are not free for commercial use, if they are not."""
    if not is_free(row):
        _tell_license(row.id, row.name, row.license)


@functools.cache
def _tell_license(identity, name, license):
    logging.warning(
        "The weights of %s (%s) are under the license %s: not free for commercial use.",
        name, identity, license,
    )  # fmt: skip
