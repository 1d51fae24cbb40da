"""The lists of a run, and how to read them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from absl import logging

from keras_video import data, zoo
from keras_video.data.annotations.parsing import require_files
from keras_video.data.annotations.records import printable
from keras_video.data.annotations.shards import class_names_of_list, is_manifest, list_of
from keras_video.data.pipelines.class_folders import (
    ClassFolders,
    PartOfShards,
    class_names_of,
    kind_of_folder,
)
from keras_video.data.rows.audio import audio_annotation_format, names_features, row_audio_source
from keras_video.data.rows.sources import annotation_format_of, row_source, source_kind
from keras_video.zoo.protocol import AUDIO, VIDEO, modality

# Datasets that are generated on demand, by the name that example rows use for them.
EMBEDDED = {
    "moving_shapes": lambda: data.embedded_dataset("appearance"),
    "moving_shapes_order": lambda: data.embedded_dataset("order"),
    "audio_shapes": lambda: data.embedded_audio_shapes("audio"),
    "audio_shapes_both": lambda: data.embedded_audio_shapes("both"),
}


@dataclass(frozen=True)
class RunLists:
    """The lists of a training.

    Attributes:
        train_list, val_list: annotation files, or folders that the annotation formats read;
            `None` in a dry run.
        root: folder that their paths are relative to.
        class_names: a name per class.
        source: where the examples come from, see `keras_video.data.sources.videos`; `None` for
            video files, or audio that is decoded.
        train_format, val_format: annotation formats; `None` for the source's default format.
    """

    train_list: Path | None
    val_list: Path | None
    root: Path | None
    class_names: tuple[str, ...]
    source: object = None
    train_format: Callable | None = None
    val_format: Callable | None = None


def find_lists(settings, row):
    """The lists of a run's settings, or the embedded dataset of the row's family.

    Lists of a row with audio name audio files, videos with audio, or stored features (`.npy`).

    Args:
        settings: the `RunSettings`.
        row: the row to train.

    Returns:
        `RunLists`.

    Raises:
        ValueError: if the names do not cover the labels.
    """
    if settings.data:
        return _data_lists(settings, row)
    if not settings.train_list:
        return embedded_lists(row)
    lists = [Path(list_of(path)) for path in (settings.train_list, settings.val_list)]
    if any(path.is_dir() for path in lists):
        return folder_lists(settings, row)
    root = Path(settings.data_root) if settings.data_root else None
    if modality(row) == VIDEO:
        kind = source_kind(settings.source, row, lists[0], root)
        phases = zip(("train", "test"), lists, strict=True)
        formats = [annotation_format_of(row, phase, kind, path) for phase, path in phases]
        source = row_source(row, kind)
    else:
        if settings.source != "auto":
            raise ValueError(
                f"source={settings.source!r}: {row.name} takes audio, which needs no source."
            )
        formats = [audio_annotation_format(path, row) for path in lists]
        stored = modality(row) == AUDIO and names_features(lists[0])
        source = row_audio_source(row, features=True) if stored else None
    names = names_of_labels(settings.class_names, lists, formats, root)
    check_class_count(names, row)
    return RunLists(*lists, root, names, source, *formats)


def _data_lists(settings, row):
    """The lists of a run on `data`: class folders or packed shards, split for validation.

    Raises:
        ValueError: as in `folder_lists`; for multi-label shards; if the names do not cover the
            labels.
    """
    manifest = list_of(settings.data)
    if manifest == settings.data and not is_manifest(manifest):
        return folder_lists(settings, row)
    if settings.data_root:
        raise ValueError(
            f"data_root={settings.data_root}: has no effect, as data is a set of shards."
        )
    names = names_of_labels(settings.class_names, [manifest], [None])
    check_class_count(names, row)
    split = {"validation_split": settings.validation_split, "split_seed": settings.split_seed}
    formats = [PartOfShards(names, subset=part, **split) for part in ("training", "validation")]
    source = _shards_source(settings, row, manifest)
    return RunLists(manifest, manifest, None, names, source, *formats)


def _shards_source(settings, row, manifest):
    """The source that reads the examples of shards; `None` for audio that is decoded."""
    if modality(row) == VIDEO:
        return row_source(row, source_kind(settings.source, row, manifest))
    if settings.source != "auto":
        raise ValueError(
            f"source={settings.source!r}: {row.name} takes audio, which needs no source."
        )
    stored = modality(row) == AUDIO and names_features(manifest)
    return row_audio_source(row, features=True) if stored else None


def folder_lists(settings, row):
    """The lists of a run on folders with a sub-folder of examples for each class.

    Raises:
        NotADirectoryError: if one of them is not a folder.
        ValueError: for a class without examples, naming its folder; for validation classes
            missing from the training folder; or for a root, which folders do not need.
    """
    train = Path(settings.data or settings.train_list)
    val = Path(settings.data or settings.val_list)
    if settings.data_root:
        raise ValueError(f"data_root={settings.data_root}: has no effect, as {train} is a folder.")
    if settings.class_names:
        names = tuple(data.read_class_names(settings.class_names))
    else:
        names = class_names_of(train)
    source = folder_source(settings, row, train)
    formats = [ClassFolders(names, source), ClassFolders(names, source)]
    if settings.data:
        split = {"validation_split": settings.validation_split, "split_seed": settings.split_seed}
        subsets = ("training", "validation")
        pairs = zip(formats, subsets, strict=True)
        formats = [
            replace(annotation_format, subset=subset, **split)
            for annotation_format, subset in pairs
        ]
    for folder, annotation_format in zip((train, val), formats, strict=True):
        _warn_about_missing_classes(folder, annotation_format, names)
    check_class_count(names, row)
    video_source = source if modality(row) == VIDEO else None
    return RunLists(train, val, None, names, video_source, *formats)


def _warn_about_missing_classes(folder, annotation_format, names):
    """Reads a folder, which raises its errors; warns about classes without examples."""
    present = {
        record.labels[0]
        for record in data.read_annotations(folder, annotation_format=annotation_format)
    }
    missing = [name for label, name in enumerate(names) if label not in present]
    if missing:
        part = f" for {annotation_format.subset}" if annotation_format.subset else ""
        logging.warning(
            "%s has no examples%s of %d of %d classes: %s%s",
            folder, part, len(missing), len(names), ", ".join(map(printable, missing[:10])),
            ", ..." if len(missing) > 10 else "",
        )  # fmt: skip


def folder_source(settings, row, folder):
    """The source that finds the examples in class folders, and reads them unless they are audio."""
    if modality(row) == VIDEO:
        kind = settings.source
        if kind == "auto":
            row_kind, folder_kind = row.source.test.kind, kind_of_folder(folder)
            flow = folder_kind == "rawframes" and row_kind == "flow"
            kind = row_kind if flow else folder_kind
        return row_source(row, kind)
    if settings.source != "auto":
        raise ValueError(
            f"source={settings.source!r}: {row.name} takes audio, which needs no source."
        )
    return row_audio_source(row, features=False) if modality(row) == AUDIO else data.Videos()


def require_examples(lists):
    """Checks that the files of both lists exist, before any work begins.

    Stored features may be listed without their file extension, and parts of videos by their
    folder: checking those is left to the reader.

    Raises:
        FileNotFoundError: naming the first missing file.
    """
    checked = (data.Videos, data.Images, data.RawFrames, data.FlowFrames)
    if not isinstance(lists.source, (type(None), *checked)):
        return
    pairs = ((lists.train_list, lists.train_format), (lists.val_list, lists.val_format))
    for file, annotation_format in pairs:
        if file is not None:
            require_files(
                data.read_annotations(file, lists.root, annotation_format=annotation_format)
            )


def embedded_lists(row):
    """The lists of the embedded dataset that the example rows of a row's family train on."""
    if row.dataset not in EMBEDDED:
        examples = zoo.rows(family=row.family, kind="example")
        matching = [example for example in examples if modality(example) == modality(row)]
        row = matching[0]
    train_list, val_list, names = EMBEDDED[row.dataset]()
    return RunLists(train_list, val_list, train_list.parent, tuple(names))


def check_class_count(names, row):
    """Rejects a single class, unless the loss is binary.

    Raises:
        ValueError: if there is one class and the classifier is a softmax over classes.
    """
    if len(names) == 1 and not (row.loss is not None and row.loss.kind == "binary"):
        raise ValueError(
            f"the lists have only the class {names[0]!r}, expected at least two: a softmax over "
            "one class is always 1, and there is nothing to learn"
        )


def names_of_labels(file, lists, formats, root=None):
    """The class names in `file`, one per line, or those of shards, or numbers for the labels.

    Args:
        file: file of names, or `None`.
        lists, formats: annotation files and the annotation format of each.
        root: folder of their paths, which may be needed to tell where a path ends.

    Raises:
        ValueError: if there are fewer names than labels.
    """
    pairs = zip(lists, formats, strict=True)
    annotations = [
        data.read_annotations(path, root, annotation_format=annotation_format)
        for path, annotation_format in pairs
    ]
    largest = max(max(record.labels, default=0) for records in annotations for record in records)
    names = None if file else class_names_of_list(lists[0])
    if not file and names is None:
        return tuple(str(index) for index in range(largest + 1))
    names = names or tuple(data.read_class_names(file))
    if len(names) <= largest:
        raise ValueError(
            f"class_names={file or lists[0]} has {len(names)} names, the largest label of the "
            f"lists is {largest}."
        )
    return names
