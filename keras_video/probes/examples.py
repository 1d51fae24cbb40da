"""The labeled videos that a probe is trained on, from lists or class folders."""

from dataclasses import dataclass
from pathlib import Path

from keras_video import data, zoo
from keras_video.data.annotations.parsing import require_files
from keras_video.data.annotations.shards import list_of
from keras_video.data.pipelines.class_folders import ClassFolders, class_names_of
from keras_video.data.rows.sources import (
    annotation_format_of,
    plain_source_of_list,
    row_source,
    source_kind,
)
from keras_video.training.lists import folder_source, names_of_labels

_PLAIN = {"video": data.Videos, "rawframes": data.RawFrames, "images": data.Images}


@dataclass(frozen=True)
class LabeledVideos:
    """Labeled videos.

    Attributes:
        records: records of the training videos.
        held_out: records of held-out videos to evaluate on; may be empty.
        class_names: a name for every label.
        source: the source that reads the frames.
    """

    records: tuple
    held_out: tuple
    class_names: tuple[str, ...]
    source: object


@dataclass(frozen=True)
class ExampleSettings:
    """The location of labeled videos, in the terms of `keras_video.training.RunSettings`.

    Attributes:
        data: folder with a sub-folder of videos for each class; exclusive with `train_list`.
        train_list: annotation file, or such a folder.
        val_list: annotation file or folder of held-out videos to evaluate on.
        data_root: folder that the paths in annotation files are relative to.
        source: what the lists contain; "auto" inspects the first line.
        class_names: file with a class name per line.
        on_error: "raise", or "skip" for videos that cannot be read.

    Raises:
        ValueError: unless exactly one of `data` and `train_list` is given, or for a setting without
            effect.
    """

    data: str | None = None
    train_list: str | None = None
    val_list: str | None = None
    data_root: str | None = None
    source: str = "auto"
    class_names: str | None = None
    on_error: str = "raise"

    def __post_init__(self):
        if bool(self.data) == bool(self.train_list):
            raise ValueError(f"data={self.data} train_list={self.train_list}: give one of the two.")
        paths = [path for path in (self.data or self.train_list, self.val_list) if path]
        if self.data_root and all(Path(path).is_dir() for path in paths):
            raise ValueError(
                f"data_root={self.data_root}: has no effect, as {paths[0]} is a folder."
            )


def find_examples(settings, protocol):
    """The labeled videos that the settings specify.

    Args:
        settings: `ExampleSettings`.
        protocol: of the model to probe; its row determines the usual content of lists.

    Returns:
        `LabeledVideos`.

    Raises:
        FileNotFoundError: for a list or folder that does not exist, or, unless unreadable videos
            are skipped, a missing video.
        ValueError: if names do not cover the labels, or `val_list` has other classes.
    """
    row = zoo.row(protocol.row) if protocol.row else None
    first = settings.data or settings.train_list
    paths = [Path(list_of(path)) for path in (first, settings.val_list) if path]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"received {path}, expected a list or a folder; there is none")
    source = _source(settings, row, paths[0])
    formats = [_list_format(settings, row, path) for path in paths]
    names = _names(settings, paths, formats)
    records = [
        data.read_annotations(
            path,
            None if path.is_dir() else settings.data_root,
            annotation_format=ClassFolders(names, source) if path.is_dir() else list_format,
        )
        for path, list_format in zip(paths, formats, strict=True)
    ]
    if settings.on_error == "raise":
        for split in records:
            require_files(split)
    return LabeledVideos(tuple(records[0]), tuple(sum(records[1:], [])), names, source)


def _source(settings, row, path):
    if path.is_dir():
        if row is not None and row.source is not None:
            return folder_source(settings, row, path)
        return _plain_source(settings)
    if row is None or row.source is None:
        return plain_source_of_list(path) or _plain_source(settings)
    return row_source(row, source_kind(settings.source, row, path, settings.data_root))


def _plain_source(settings):
    kind = "video" if settings.source == "auto" else settings.source
    if kind not in _PLAIN:
        raise ValueError(
            f"source={settings.source!r}: expected one of {', '.join(_PLAIN)}, as the model "
            "belongs to no row of the zoo."
        )
    return _PLAIN[kind]()


def _list_format(settings, row, path):
    if path.is_dir() or row is None or row.source is None:
        return None
    kind = source_kind(settings.source, row, path, settings.data_root)
    return annotation_format_of(row, "test", kind, path)


def _names(settings, paths, formats):
    folders = [path for path in paths if path.is_dir()]
    if folders and not settings.class_names:
        return class_names_of(folders[0])
    if folders:
        return tuple(data.read_class_names(settings.class_names))
    return names_of_labels(settings.class_names, paths, formats, settings.data_root)
