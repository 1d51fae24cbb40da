"""Shards of scores and features as files: NumPy archives or Parquet, a row for each video."""

import json

import numpy as np

from keras_video.sharded import fetched, open_folder, read_manifest

FORMATS = ("npz", "parquet")
_KEY = b"keras_video"


def check_format(file_format):
    """Refuses other formats, and those that need a package which is not there.

    Raises:
        ValueError: naming the format.
        ImportError: saying what to install.
    """
    if file_format not in FORMATS:
        raise ValueError(f"file_format={file_format!r}: expected one of {', '.join(FORMATS)}")
    if file_format == "parquet":
        _pyarrow()


def write_rows(path, videos, arrays, column, class_names=None):
    """Writes a shard; its format is that of the name's ending.

    Args:
        path: the file, ending in .npz or .parquet.
        videos: of each row what has a `path` and `labels`, `None` where nothing is known of them.
        arrays: of each row a float32 array.
        column: what these are called.
        class_names: a name for every class, or `None`.

    Raises:
        ValueError: for an .npz file of arrays of several shapes.
    """
    # Not every name of a file is UTF-8, which Parquet wants.
    names = [one.path.encode("utf-8", "backslashreplace").decode() for one in videos]
    labels = [one.labels for one in videos]
    write = _write_npz if path.suffix == ".npz" else _write_parquet
    write(path, names, labels, arrays, column, class_names)


def read_shards(folder):
    """All rows of a folder of shards, in the order of the list.

    Args:
        folder: as `predict_shards` or `feature_shards` fills it; an address that fsspec knows does
            as well.

    Returns:
        A dictionary: "path", a list; "labels", a list of tuples of class indices, of which there
        are none where the list has none; "scores" or "features", a float32 array `(videos, ...)`,
        or a list of arrays where their shapes differ; "class_names", a list, if they are known.

    Raises:
        FileNotFoundError: if it is no folder of shards.
        ValueError: if shards are missing, as those of a run that was stopped are.
    """
    manifest = read_manifest(folder)
    missing = [name for name in manifest["plan"] if name not in manifest["finished"]]
    if missing:
        raise ValueError(
            f"{folder}: {len(missing)} of {len(manifest['plan'])} shards are missing, the first is "
            f"{missing[0]}: start the same command again to make them"
        )
    column = manifest["settings"]["column"]
    found = {"path": [], "labels": [], column: []}
    place = open_folder(folder)
    for name in manifest["plan"]:
        with fetched([f"{place}/{name}"]) as (local,):
            if isinstance(local, Exception):
                raise local
            rows = (_read_npz if local.endswith(".npz") else _read_parquet)(local, column)
        for key in ("path", "labels", column):
            found[key] += rows[key]
        if rows["class_names"] is not None:
            found["class_names"] = rows["class_names"]
    if len({one.shape for one in found[column]}) == 1:
        found[column] = np.stack(found[column])
    return found


def _write_npz(path, names, labels, arrays, column, class_names):
    shapes = {one.shape for one in arrays}
    if len(shapes) > 1:
        raise ValueError(
            f"{path.name}: received {column} of shapes {sorted(shapes)}, expected one shape in an "
            ".npz file; Parquet takes several"
        )
    columns = {"path": np.array(names, str), column: np.array(arrays, np.float32)}
    if any(one is not None for one in labels):
        most = max(len(one or ()) for one in labels)
        padded = [[*(one or ()), *[-1] * (most - len(one or ()))] for one in labels]
        columns["labels"] = np.array(padded, np.int32).reshape(len(labels), most)
    if class_names is not None:
        columns["class_names"] = np.array(class_names, str)
    np.savez(path, **columns)


def _read_npz(path, column):
    with np.load(path, allow_pickle=False) as file:
        count = len(file["path"])
        labels = file["labels"] if "labels" in file else np.empty((count, 0), np.int32)
        return {
            "path": file["path"].tolist(),
            "labels": [tuple(int(x) for x in row if x >= 0) for row in labels],
            column: list(file[column]),
            "class_names": file["class_names"].tolist() if "class_names" in file else None,
        }


def _write_parquet(path, names, labels, arrays, column, class_names):
    arrow, parquet = _pyarrow()
    shapes = [one.shape for one in arrays]
    columns = {"path": arrow.array(names, arrow.string())}
    if any(one is not None for one in labels):
        columns["labels"] = arrow.array(labels, arrow.list_(arrow.int32()))
    flat = [one.reshape(-1) for one in arrays]
    columns[column] = arrow.array(flat, arrow.list_(arrow.float32()))
    columns["shape"] = arrow.array(shapes, arrow.list_(arrow.int32()))
    facts = {"class_names": class_names}
    table = arrow.table(columns).replace_schema_metadata({_KEY: json.dumps(facts).encode()})
    parquet.write_table(table, path)


def _read_parquet(path, column):
    _, parquet = _pyarrow()
    table = parquet.read_table(path)
    shapes = table["shape"].to_pylist()
    flat = [np.asarray(one.values, np.float32) for one in table[column]]
    labels = table["labels"].to_pylist() if "labels" in table.column_names else [()] * len(flat)
    return {
        "path": table["path"].to_pylist(),
        "labels": [tuple(one) for one in labels],
        column: [one.reshape(shape) for one, shape in zip(flat, shapes, strict=True)],
        "class_names": json.loads(table.schema.metadata[_KEY])["class_names"],
    }


def _pyarrow():
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            "'pyarrow' is missing: Parquet files need pip install keras-video[ray]", name="pyarrow"
        ) from error
    return pyarrow, parquet
