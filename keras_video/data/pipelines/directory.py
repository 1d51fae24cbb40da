"""A dataset from a folder with one sub-folder of videos for each class."""

from pathlib import Path

import numpy as np

from ..annotations.reading import Record
from ..sources.videos import VIDEO_SUFFIXES, Videos, files_in
from .clips import dataset_from_records


def video_dataset_from_directory(
    folder,
    *,
    sampling,
    steps,
    source=None,
    validation_split=None,
    subset=None,
    class_names=None,
    **options,
):
    """Clips of the videos in a folder whose sub-folders are the classes.

    Args:
        folder: holds `class_a/video.mp4` and so on, also in deeper folders; or whatever the
            source finds there. Files that are not videos by their suffix, and hidden ones, are
            left out.
        sampling: which frames are read, a sampler of `keras_video.data`.
        steps: what happens to them, a sequence of clip steps of `keras_video.data`.
        source: where the frames come from, such as `keras_video.data.RawFrames()` for folders
            `class_a/video/img_00001.jpg`; None means `Videos()`.
        validation_split: share of the videos, between 0 and 1, that is set apart for validation.
            Which ones depends on the names of the files alone, not on `seed`.
        subset: with `validation_split`: `"training"` or `"validation"`, which part to give.
        class_names: names of the sub-folders in the order of their labels; None sorts them.
        **options: see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` as `dataset_from_records` gives it, with the attributes `class_names`
        and `file_paths`.

    Raises:
        NotADirectoryError: there is no such folder.
        ValueError: no videos are found, or arguments do not fit the folder or each other.
    """
    folder, source = Path(folder), Videos() if source is None else source
    _check_split(validation_split, subset)
    names = _class_names(folder, class_names)
    records = [
        Record(str(path), (label,), str(folder))
        for label, name in enumerate(names)
        for path in source.find(folder / name)
    ]
    if validation_split is not None:
        records = _part(records, validation_split, subset)
    if not records:
        raise ValueError(
            f"received {folder}, which has nothing for {source} in its sub-folders {names}"
        )
    options.setdefault("classes", len(names))
    dataset = dataset_from_records(
        records, sampling=sampling, steps=steps, source=source, **options
    )
    dataset.class_names = list(names)
    dataset.file_paths = [record.path for record in records]
    return dataset


def _check_split(validation_split, subset):
    if (validation_split is None) != (subset is None):
        raise ValueError(
            f"received validation_split={validation_split!r} and subset={subset!r}, expected both "
            "or none"
        )
    if subset not in (None, "training", "validation"):
        raise ValueError(f"received subset={subset!r}, expected 'training' or 'validation'")
    if validation_split is not None and not 0 < validation_split < 1:
        raise ValueError(f"received validation_split={validation_split}, expected between 0 and 1")


def _class_names(folder, class_names):
    if not folder.is_dir():
        raise NotADirectoryError(f"received {folder}, expected a folder with one for each class")
    found = sorted(
        path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if class_names is None:
        return found
    missing = sorted(set(class_names) - set(found))
    if missing:
        raise ValueError(f"received class_names {missing}, which {folder} has no folders for")
    return list(class_names)


def video_files(path):
    """The videos in a folder and the folders below it, sorted; a file is given as it is.

    Files that are not videos by their suffix, and hidden ones, are left out of a folder.

    Raises:
        FileNotFoundError: there is no such file or folder.
    """
    place = Path(path)
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise FileNotFoundError(f"received {place}, expected a video or a folder of videos")
    return files_in(place, VIDEO_SUFFIXES)


def _part(records, validation_split, subset):
    shuffled = np.random.default_rng(0).permutation(len(records))
    count = int(validation_split * len(records))
    chosen = shuffled[:count] if subset == "validation" else shuffled[count:]
    return [records[index] for index in sorted(chosen)]
