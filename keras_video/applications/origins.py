"""Finds the row of the zoo that a checkpoint belongs to: by address, hash or file name."""

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
    """The row whose weights are published at an address, or `None`."""
    if is_hub_address(text):
        address = hub_address(text)
        if address.file is not None or address.revision is not None:
            return None
        rows_by_repository = {
            hub_address(row.checkpoint.url).repository: row
            for row in zoo.rows(kind="model")
            if row.checkpoint and is_hub_address(row.checkpoint.url)
        }
        return rows_by_repository.get(address.repository)
    rows = zoo.rows(kind="model")
    return next((row for row in rows if row.checkpoint and row.checkpoint.url == text), None)


def rows_by_content(path):
    """Rows with a checkpoint of this file's hash, those that also match its name first."""
    content = digest(path)
    matches = [
        (checkpoint.file != path.name, row)
        for row in zoo.rows(kind="model")
        for checkpoint in row.checkpoints
        if checkpoint.sha256_prefix and content.startswith(checkpoint.sha256_prefix)
    ]
    return [row for _, row in sorted(matches, key=lambda pair: pair[0])]


def rows_by_name(path):
    """Rows with a checkpoint of this file's name, of which no hash is published.

    A TensorFlow checkpoint is identified by the name of its archive, which its folder shares.
    """
    names = {path.name}
    if find_prefix(path) is not None:
        stems = (path.name, path.parent.name)
        names |= {f"{stem}{suffix}" for stem in stems for suffix in ARCHIVES}
    matches = []
    for row in zoo.rows(kind="model"):
        for checkpoint in row.checkpoints:
            if checkpoint.file not in names:
                continue
            if checkpoint.sha256_prefix is None:
                matches.append(row)
            else:
                logging.warning(
                    "%s has the file name of the checkpoint of %s, but not its content.",
                    path.name, row.name,
                )  # fmt: skip
    return matches


def digest(path):
    """The SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        sha256 = hashlib.sha256()
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
    return sha256.hexdigest()


def load_with_row(row, path, arguments):
    """The model of a row, with its weights loaded from a file."""
    from keras_video.zoo.building import build_row_model

    logging.info("%s is the checkpoint of %s (%s).", path.name, row.name, row.id)
    model = build_row_model(row, str(path), arguments)
    warn_license(row)
    model.protocol = row.protocol("test")
    same_classes = row.classes is not None and model.outputs[0].shape[-1] == row.classes
    if same_classes:
        model.class_names = row.class_names
    adopt(model, path, names=same_classes)
    return model


def is_free(row):
    """Whether the license of a row's weights, if known, permits commercial use."""
    return "-NC" not in (row.license or "")


def warn_license(row):
    """Warns, once per row, if its weights are not licensed for commercial use."""
    if not is_free(row):
        _warn_license(row.id, row.name, row.license)


@functools.cache
def _warn_license(identity, name, license):
    logging.warning(
        "The weights of %s (%s) are under the license %s: not free for commercial use.",
        name, identity, license,
    )  # fmt: skip
