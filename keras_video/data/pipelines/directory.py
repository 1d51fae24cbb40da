"""A dataset from a folder with a sub-folder of videos per class."""

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
        folder: contains `class_a/video.mp4` and so on, also in deeper folders; or whatever the
            source finds there. Files without a video suffix, hidden files and system folders
            (`.ipynb_checkpoints`, `__MACOSX`) are ignored at any depth.
        sampling: a sampler of `keras_video.data` that selects the frames to read.
        transforms: sequence of clip transforms of `keras_video.data`.
        source: the source that opens the examples, such as `keras_video.data.RawFrames()` for
            folders `class_a/video/img_00001.jpg`; None means `Videos()`, whose `suffixes` define
            which files are videos.
        validation_split: fraction of the videos, between 0 and 1, to reserve for validation. Their
            total number is rounded down, and each class contributes as evenly as whole videos
            allow. The selection depends only on the file names and `split_seed`, not on `seed`.
        subset: with `validation_split`, the part to return: `"training"` or `"validation"`.
        split_seed: non-negative integer; another one selects other videos.
        class_names: names of the sub-folders in the order of their labels; None sorts them.
            Sub-folders that are not listed are ignored.
        follow_links: whether to follow links to folders inside the class folders.
        allow_empty: whether a class may have no videos.
        classes: number of classes; None counts the sub-folders.
        view_frames, batch_size, training, seed, epoch, multi_label, shuffle, on_error, report,
            decoder_resize, num_parallel_calls, deterministic, drop_remainder, repeats, workers:
            see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset`, see `dataset_from_records`, with the attributes `class_names` and
        `file_paths`. A warning lists classes that a split leaves without videos.

    Raises:
        NotADirectoryError: if the folder does not exist.
        ValueError: if there are no videos, or none in a class, naming it; if a split leaves nothing
            for validation; or if arguments do not fit the folder or each other.
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
    """The records of the examples in a folder, and the names of their classes.

    Args, Raises:
        See `video_dataset_from_directory`.
    """
    folder = Path(folder)
    names = _class_names(folder, class_names)
    links = {} if follow_links else {"follow_links": False}
    examples = [list(source.find(folder / name, **links)) for name in names]
    _check_examples(folder, source, names, examples, allow_empty)
    records = [
        Record(str(path), (label,), str(folder))
        for label, paths in enumerate(examples)
        for path in paths
    ]
    return records, names


def named(dataset, records, names):
    """The dataset with the attributes `class_names` and `file_paths`."""
    dataset.class_names = list(names)
    dataset.file_paths = [record.path for record in records]
    return dataset


def check_split(validation_split, subset, split_seed):
    """Raises a ValueError for an invalid split; see `video_dataset_from_directory`."""
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
    folders = class_folders(folder)
    if class_names is None:
        return folders
    names = [str(name) for name in class_names]
    missing = sorted(set(names) - set(folders))
    if missing:
        raise ValueError(f"received class_names {missing}, which have no folders in {folder}")
    repeated = list(repeated_names(names))
    if repeated:
        raise ValueError(f"received class_names with duplicates {repeated}, expected unique names")
    return names


def class_folders(folder):
    """The sorted names of the class folders in a folder.

    Raises:
        NotADirectoryError: if the folder does not exist.
    """
    if not folder.is_dir():
        raise NotADirectoryError(
            f"received {folder}, expected a folder with a sub-folder for each class"
        )
    return sorted(
        path.name for path in folder.iterdir() if path.is_dir() and not is_left_out(path.name)
    )


def examples_of_classes(folder, source, names):
    """`{name: the examples that the source finds in the folder of this name}`.

    Raises:
        ValueError: if there are no folders, or one has no examples, naming it.
    """
    if not names:
        raise ValueError(f"received {folder}, expected a folder with a sub-folder for each class")
    examples = {name: list(source.find(folder / name)) for name in names}
    empty = [str(folder / name) for name, paths in examples.items() if not paths]
    if empty:
        raise ValueError(
            f"no {_EXAMPLES.get(type(source).__name__, 'examples')} in {', '.join(empty[:3])}"
            f"{', ...' if len(empty) > 3 else ''}: put some there, or remove the folder; each "
            f"folder in {folder} is a class"
        )
    return examples


# The examples of each source, for messages.
_EXAMPLES = {
    "Videos": "videos",
    "Images": "images",
    "RawFrames": "folders of frames",
    "FlowFrames": "folders of optical flow",
    "Waveforms": "audio files or videos",
}


def _check_examples(folder, source, names, examples, allow_empty):
    if not any(examples):
        raise ValueError(
            f"received {folder}, which has no examples for {source} in its sub-folders {names}"
        )
    empty = [name for name, paths in zip(names, examples, strict=True) if not paths]
    suffixes = getattr(source, "suffixes", None)
    others = {} if suffixes is None else _other_videos(folder, names, suffixes)
    counts = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
    hint = f" (files that source=Videos(suffixes=...) would include: {counts})" if others else ""
    if empty and not allow_empty:
        raise ValueError(
            f"received {folder}, whose sub-folders {empty} have no examples for {source}{hint}: "
            "remove them, list the others in class_names, or pass allow_empty=True for classes "
            "without videos"
        )
    if others:
        logging.warning("%s: ignored videos because of their suffix%s", folder, hint)


def _other_videos(folder, names, suffixes):
    """Counts, by suffix, the video files that the source does not include."""
    others = [
        path.suffix.lower()
        for name in names
        for path in files_in(folder / name, ALL_VIDEO_SUFFIXES - frozenset(suffixes))
    ]
    return Counter(others)


def video_files(path):
    """The sorted videos in a folder and its sub-folders, or a single file.

    In a folder, hidden files and files without a video suffix are ignored.

    Raises:
        FileNotFoundError: if the file or folder does not exist.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(f"received {path}, expected a video or a folder of videos")
    return files_in(path, ALL_VIDEO_SUFFIXES)


def part_of(records, names, validation_split, subset, split_seed=0, *, warn=True):
    """The records of one part of a split; see `video_dataset_from_directory`.

    Args:
        warn: whether to warn of classes that have no videos in this part.
    """
    total = _floor_fraction(validation_split, len(records))
    if not total:
        raise ValueError(
            f"received validation_split={validation_split} of {len(records)} videos, which leaves "
            "none for validation, expected a fraction of at least one video"
        )
    labels = np.array([record.labels[0] for record in records])
    generator = np.random.default_rng(split_seed)
    shuffled = [generator.permutation(np.flatnonzero(labels == c)) for c in range(len(names))]
    counts = validation_counts([len(indices) for indices in shuffled], validation_split, total)
    validation, training = [], []
    for indices, count in zip(shuffled, counts, strict=True):
        validation += indices[:count].tolist()
        training += indices[count:].tolist()
    chosen = sorted(validation if subset == "validation" else training)
    if warn:
        _warn_missing_classes(names, labels, chosen, subset)
    return [records[index] for index in chosen]


def validation_counts(sizes, validation_split, total):
    """The number of validation videos of each class, rounded so that they add up to `total`.

    No class loses its last training video while another class can contribute one.

    Args:
        sizes: number of videos of each class.
        validation_split: fraction of videos for validation.
        total: total number of validation videos.
    """
    counts = [_floor_fraction(validation_split, size) for size in sizes]
    rest = [validation_split * size - count for size, count in zip(sizes, counts, strict=True)]
    while sum(counts) < total:
        candidates = [c for c, size in enumerate(sizes) if counts[c] < size]
        best = max(candidates, key=lambda c: (sizes[c] - counts[c] > 1, rest[c], sizes[c]))
        counts[best] += 1
        rest[best] -= 1
    return counts


def _floor_fraction(fraction, count):
    # 0.29 * 100 is slightly less than 29.
    return int(fraction * count + 1e-9)


def _warn_missing_classes(names, labels, chosen, subset):
    lost = set(labels.tolist()) - set(labels[chosen].tolist())
    missing = [name for label, name in enumerate(names) if label in lost]
    if missing:
        shown = ", ".join(map(printable, missing[:20])) + (", ..." if len(missing) > 20 else "")
        text = "The split leaves %d of %d classes without videos for %s: %s"
        logging.warning(text, len(missing), len(names), subset, shown)
