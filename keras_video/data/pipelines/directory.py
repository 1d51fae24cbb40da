"""A dataset from a folder with one sub-folder of videos for each class."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from ..annotations.parsing import Record, repeated_names
from ..annotations.records import printable
from ..sampling import check_whole
from ..sources.folder_walk import is_left_out
from ..sources.videos import ALL_VIDEO_SUFFIXES, Source, Videos, files_in
from ..transforms.basic import Transform
from .building import build_dataset
from .clip_reader import OnError
from .epoch import EpochCounter
from .options import LoaderOptions
from .processing import Processing
from .report import DecodeReport


def video_dataset_from_directory(
    folder: str | Path,
    *,
    sampling: Callable,
    transforms: Iterable[Transform],
    source: Source | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    split_seed: int = 0,
    class_names: Sequence[str] | None = None,
    follow_links: bool = True,
    allow_empty: bool = False,
    view_frames: int | None = None,
    batch_size: int | None = 8,
    training: bool = False,
    seed: int = 0,
    epoch: EpochCounter | None = None,
    classes: int | None = None,
    multi_label: bool | None = None,
    shuffle: bool | Callable | None = None,
    on_error: OnError = "raise",
    report: DecodeReport | None = None,
    decoder_resize: bool = False,
    num_parallel_calls: int | None = tf.data.AUTOTUNE,
    deterministic: bool = True,
    drop_remainder: bool = False,
    repeats: int = 1,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Clips of the videos in a folder whose sub-folders are the classes.

    Args:
        folder: holds `class_a/video.mp4` and so on, also in deeper folders; or whatever the
            source finds there. Files that are not videos by their suffix are left out, and
            hidden ones and what systems leave (`.ipynb_checkpoints`, `__MACOSX`), at any depth.
        sampling: which frames are read, a sampler of `keras_video.data`.
        transforms: what happens to them, a sequence of clip transforms of `keras_video.data`.
        source: where the frames come from, such as `keras_video.data.RawFrames()` for folders
            `class_a/video/img_00001.jpg`; None means `Videos()`, whose `suffixes` say which files
            are videos.
        validation_split: share of the videos, between 0 and 1, that is set apart for validation:
            of every class, as closely as whole videos allow, of all of them rounded down. Which
            ones depends on the names of the files and `split_seed` alone, not on `seed`.
        subset: with `validation_split`: `"training"` or `"validation"`, which part to give.
        split_seed: non-negative integer; another one sets other videos apart.
        class_names: names of the sub-folders in the order of their labels; None sorts them.
            Sub-folders that are not named are left out.
        follow_links: whether to go into folders below the classes that are links.
        allow_empty: whether a class may have no videos.
        classes: number of classes; None takes the sub-folders.
        view_frames, batch_size, training, seed, epoch, multi_label, shuffle, on_error, report,
            decoder_resize, num_parallel_calls, deterministic, drop_remainder, repeats, workers:
            see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` as `dataset_from_records` gives it, with the attributes `class_names`
        and `file_paths`. A warning names classes that a split leaves without videos.

    Raises:
        NotADirectoryError: there is no such folder.
        ValueError: no videos are found, or none in a class, naming it; a split that leaves nothing
            for validation; or arguments that do not fit the folder or each other.
    """
    source = Videos() if source is None else source
    check_split(validation_split, subset, split_seed)
    records, names = records_of_folder(folder, source, class_names, follow_links, allow_empty)
    if validation_split is not None:
        records = part_of(records, names, validation_split, subset, split_seed)
    classes = len(names) if classes is None else classes
    options = LoaderOptions.of(locals())
    dataset = build_dataset(
        records, Processing.of_transforms(sampling, transforms, view_frames), source, options
    )
    return named(dataset, records, names)


def records_of_folder(folder, source, class_names=None, follow_links=True, allow_empty=False):
    """The records of the files below a folder, and the names of their classes.

    Args, Raises:
        See `video_dataset_from_directory`.
    """
    folder = Path(folder)
    names = _class_names(folder, class_names)
    links = {} if follow_links else {"follow_links": False}
    found = [list(source.find(folder / name, **links)) for name in names]
    _check_found(folder, source, names, found, allow_empty)
    records = [
        Record(str(path), (label,), str(folder))
        for label, paths in enumerate(found)
        for path in paths
    ]
    return records, names


def named(dataset, records, names):
    """The dataset with the attributes `class_names` and `file_paths`."""
    dataset.class_names = list(names)
    dataset.file_paths = [record.path for record in records]
    return dataset


def check_split(validation_split, subset, split_seed):
    """Refuses a split that is none; see `video_dataset_from_directory`."""
    if (validation_split is None) != (subset is None):
        raise ValueError(
            f"received validation_split={validation_split!r} and subset={subset!r}, expected both "
            "or none"
        )
    if subset not in (None, "training", "validation"):
        raise ValueError(f"received subset={subset!r}, expected 'training' or 'validation'")
    if validation_split is not None and not 0 < validation_split < 1:
        raise ValueError(f"received validation_split={validation_split}, expected between 0 and 1")
    check_whole("split_seed", split_seed, 0)


def _class_names(folder, class_names):
    found = class_folders(folder)
    if class_names is None:
        return found
    names = [str(name) for name in class_names]
    missing = sorted(set(names) - set(found))
    if missing:
        raise ValueError(f"received class_names {missing}, which {folder} has no folders for")
    repeated = list(repeated_names(names))
    if repeated:
        raise ValueError(f"received class_names with {repeated} several times, expected once")
    return names


def class_folders(folder):
    """Names of the folders in a folder that are classes, sorted.

    Raises:
        NotADirectoryError: there is no such folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"received {folder}, expected a folder with one for each class")
    return sorted(
        path.name for path in folder.iterdir() if path.is_dir() and not is_left_out(path.name)
    )


def examples_of_classes(folder, source, names):
    """`{name: the examples that the source finds in the folder of this name}`.

    Raises:
        ValueError: where there are no folders, or one without examples, naming it.
    """
    if not names:
        raise ValueError(f"received {folder}, expected a folder with one for each class in it")
    found = {name: list(source.find(folder / name)) for name in names}
    empty = [str(folder / name) for name, paths in found.items() if not paths]
    if empty:
        raise ValueError(
            f"no {_EXAMPLES.get(type(source).__name__, 'examples')} in {', '.join(empty[:3])}"
            f"{', ...' if len(empty) > 3 else ''}: put some there, or remove the folder; every "
            f"folder in {folder} is a class"
        )
    return found


# What sources find, in words.
_EXAMPLES = {
    "Videos": "videos",
    "Images": "images",
    "RawFrames": "folders of frames",
    "FlowFrames": "folders of optical flow",
    "Sounds": "sounds or videos",
}


def _check_found(folder, source, names, found, allow_empty):
    if not any(found):
        raise ValueError(
            f"received {folder}, which has nothing for {source} in its sub-folders {names}"
        )
    empty = [name for name, paths in zip(names, found, strict=True) if not paths]
    suffixes = getattr(source, "suffixes", None)
    others = {} if suffixes is None else _other_videos(folder, names, suffixes)
    counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
    hint = f" (files that source=Videos(suffixes=...) would take: {counts})" if others else ""
    if empty and not allow_empty:
        raise ValueError(
            f"received {folder}, whose sub-folders {empty} have nothing for {source}{hint}: remove "
            "them, name the others by class_names, or give allow_empty=True for classes without "
            "videos"
        )
    if others:
        logging.warning("%s: left out videos by their suffix%s", folder, hint)


def _other_videos(folder, names, suffixes):
    """How many files of each suffix of videos there are that the source does not take."""
    others = [
        path.suffix.lower()
        for name in names
        for path in files_in(folder / name, ALL_VIDEO_SUFFIXES - frozenset(suffixes))
    ]
    return Counter(others)


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
    return files_in(place, ALL_VIDEO_SUFFIXES)


def part_of(records, names, validation_split, subset, split_seed=0, *, told=True):
    """The records of one part of a split; see `video_dataset_from_directory`.

    Args:
        told: whether to warn of classes that have no videos in this part.
    """
    total = _share(validation_split, len(records))
    if not total:
        raise ValueError(
            f"received validation_split={validation_split} of {len(records)} videos, which leaves "
            "none for validation, expected a share of at least one video"
        )
    labels = np.array([record.labels[0] for record in records])
    generator = np.random.default_rng(split_seed)
    shuffled = [generator.permutation(np.flatnonzero(labels == c)) for c in range(len(names))]
    counts = validation_counts([len(places) for places in shuffled], validation_split, total)
    validation, training = [], []
    for places, count in zip(shuffled, counts, strict=True):
        validation += places[:count].tolist()
        training += places[count:].tolist()
    chosen = sorted(validation if subset == "validation" else training)
    if told:
        _tell_missing_classes(names, labels, chosen, subset)
    return [records[place] for place in chosen]


def validation_counts(sizes, validation_split, total):
    """How many videos of each class are set apart: its share, rounded so that they add up.

    A class keeps a video for training wherever another can give one.

    Args:
        sizes: videos of each class.
        validation_split: the share.
        total: videos that are set apart in all.
    """
    counts = [_share(validation_split, size) for size in sizes]
    rest = [validation_split * size - count for size, count in zip(sizes, counts, strict=True)]
    while sum(counts) < total:
        open_classes = [c for c, size in enumerate(sizes) if counts[c] < size]
        best = max(open_classes, key=lambda c: (sizes[c] - counts[c] > 1, rest[c], sizes[c]))
        counts[best] += 1
        rest[best] -= 1
    return counts


def _share(share, count):
    # 0.29 * 100 is a little less than 29.
    return int(share * count + 1e-9)


def _tell_missing_classes(names, labels, chosen, subset):
    lost = set(labels.tolist()) - set(labels[chosen].tolist())
    missing = [name for label, name in enumerate(names) if label in lost]
    if missing:
        shown = ", ".join(map(printable, missing[:20])) + (", ..." if len(missing) > 20 else "")
        text = "The split leaves %d of %d classes without videos for %s: %s"
        logging.warning(text, len(missing), len(names), subset, shown)
