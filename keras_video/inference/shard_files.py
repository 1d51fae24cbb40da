"""Files of score and feature shards: NumPy archives or Parquet, one row per video."""

import json

import numpy as np

from keras_video.sharded import fetched, open_folder, read_manifest

FORMATS = ("npz", "parquet")
_KEY = b"keras_video"


def check_format(file_format):
    """Rejects unknown formats, and formats whose package is not installed.

    Raises:
        ValueError: if the format is unknown.
        ImportError: if its package is missing; the message names it.
    """
    if file_format not in FORMATS:
        raise ValueError(f"file_format={file_format!r}: expected one of {', '.join(FORMATS)}")
    if file_format == "parquet":
        _pyarrow()


def write_rows(path, videos, arrays, column, class_names=None):
    """Writes a shard in the format given by the file extension.

    Args:
        path: the file, ending in .npz or .parquet.
        videos: for each row, an object with a `path` and `labels`, `None` if unknown.
        arrays: a float32 array for each row.
        column: name of the column of these arrays.
        class_names: a name per class, or `None`.

    Raises:
        ValueError: if the arrays for an .npz file have different shapes.
    """
    # Parquet requires UTF-8, which file names need not be.
    names = [video.path.encode("utf-8", "backslashreplace").decode() for video in videos]
    labels = [video.labels for video in videos]
    write = _write_npz if path.suffix == ".npz" else _write_parquet
    write(path, names, labels, arrays, column, class_names)


def read_shards(folder):
    """All rows of a folder of shards, in the order of the list.

    Args:
        folder: output folder of `predict_shards` or `feature_shards`; may be an fsspec address.

    Returns:
        A dictionary: "path", a list; "labels", a list of tuples of class indices, empty
        if the list has no labels; "scores" or "features", a float32 array `(videos, ...)`,
        or a list of arrays if their shapes differ; "class_names", a list, if they are known.

    Raises:
        FileNotFoundError: if it is not a folder of shards.
        ValueError: if shards are missing, for instance after an interrupted run.
    """
    manifest = read_manifest(folder)
    missing = [name for name in manifest["plan"] if name not in manifest["finished"]]
    if missing:
        raise ValueError(
            f"{folder}: {len(missing)} of {len(manifest['plan'])} shards are missing, the first is "
            f"{missing[0]}: run the same command again to create them"
        )
    column = manifest["settings"]["column"]
    columns = {"path": [], "labels": [], column: []}
    root = open_folder(folder)
    for name in manifest["plan"]:
        with fetched([f"{root}/{name}"]) as (local,):
            if isinstance(local, Exception):
                raise local
            rows = (_read_npz if local.endswith(".npz") else _read_parquet)(local, column)
        for key in ("path", "labels", column):
            columns[key] += rows[key]
        if rows["class_names"] is not None:
            columns["class_names"] = rows["class_names"]
    if len({array.shape for array in columns[column]}) == 1:
        columns[column] = np.stack(columns[column])
    return columns


def _write_npz(path, names, labels, arrays, column, class_names):
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"{path.name}: received {column} of shapes {sorted(shapes)}, expected a single shape "
            "in an .npz file; Parquet supports several"
        )
    columns = {"path": np.array(names, str), column: np.array(arrays, np.float32)}
    if any(indices is not None for indices in labels):
        rows = [list(indices or ()) for indices in labels]
        width = max(map(len, rows))
        padded = [[*row, *[-1] * (width - len(row))] for row in rows]
        columns["labels"] = np.array(padded, np.int32).reshape(len(labels), width)
    if class_names is not None:
        columns["class_names"] = np.array(class_names, str)
    np.savez(path, **columns)


def _read_npz(path, column):
    with np.load(path, allow_pickle=False) as file:
        count = len(file["path"])
        labels = file["labels"] if "labels" in file else np.empty((count, 0), np.int32)
        return {
            "path": file["path"].tolist(),
            "labels": [tuple(int(label) for label in row if label >= 0) for row in labels],
            column: list(file[column]),
            "class_names": file["class_names"].tolist() if "class_names" in file else None,
        }


def _write_parquet(path, names, labels, arrays, column, class_names):
    arrow, parquet = _pyarrow()
    shapes = [array.shape for array in arrays]
    columns = {"path": arrow.array(names, arrow.string())}
    if any(indices is not None for indices in labels):
        columns["labels"] = arrow.array(labels, arrow.list_(arrow.int32()))
    flat = [array.reshape(-1) for array in arrays]
    columns[column] = arrow.array(flat, arrow.list_(arrow.float32()))
    columns["shape"] = arrow.array(shapes, arrow.list_(arrow.int32()))
    metadata = {"class_names": class_names}
    table = arrow.table(columns).replace_schema_metadata({_KEY: json.dumps(metadata).encode()})
    parquet.write_table(table, path)


def _read_parquet(path, column):
    _, parquet = _pyarrow()
    table = parquet.read_table(path)
    shapes = table["shape"].to_pylist()
    flat = [np.asarray(value.values, np.float32) for value in table[column]]
    labels = table["labels"].to_pylist() if "labels" in table.column_names else [()] * len(flat)
    return {
        "path": table["path"].to_pylist(),
        "labels": [tuple(indices) for indices in labels],
        column: [array.reshape(shape) for array, shape in zip(flat, shapes, strict=True)],
        "class_names": json.loads(table.schema.metadata[_KEY])["class_names"],
    }


def _pyarrow():
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            "'pyarrow' is missing: for Parquet files, pip install keras-video[ray]", name="pyarrow"
        ) from error
    return pyarrow, parquet
