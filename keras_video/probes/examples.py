"""Which labeled videos a probe is trained on: those of a list, or of class folders."""

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
        records: of the videos to train on.
        held_out: of those to measure on besides; may be empty.
        class_names: a name for every label.
        source: where the frames come from.
    """

    records: tuple
    held_out: tuple
    class_names: tuple[str, ...]
    source: object


@dataclass(frozen=True)
class ExampleSettings:
    """Where labeled videos are, as `keras_video.training.RunSettings` says it.

    Attributes:
        data: folder with a sub-folder of videos for each class; or
        train_list: annotation file, or such a folder.
        val_list: annotation file or folder of videos to measure on besides.
        data_root: folder that the paths of annotation files start from.
        source: what the lists name; "auto" looks at the first line.
        class_names: file with a class name per line.
        on_error: "raise", or "skip" for videos that cannot be read.

    Raises:
        ValueError: unless one of `data` and `train_list` is given, or for a setting without effect.
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
        places = [one for one in (self.data or self.train_list, self.val_list) if one]
        if self.data_root and all(Path(one).is_dir() for one in places):
            raise ValueError(
                f"data_root={self.data_root}: has no effect, as {places[0]} is a folder."
            )


def find_examples(settings, protocol):
    """The labeled videos that the settings name.

    Args:
        settings: `ExampleSettings`.
        protocol: of the model that sees them; its row says what lists usually name.

    Returns:
        `LabeledVideos`.

    Raises:
        FileNotFoundError: for a place that does not exist, or, unless unreadable videos are
            skipped, a video.
        ValueError: if names do not cover the labels, or `val_list` has other classes.
    """
    row = zoo.row(protocol.row) if protocol.row else None
    first = settings.data or settings.train_list
    places = [Path(list_of(one)) for one in (first, settings.val_list) if one]
    for place in places:
        if not place.exists():
            raise FileNotFoundError(f"received {place}, expected a list or a folder; there is none")
    source = _source(settings, row, places[0])
    formats = [_list_format(settings, row, place) for place in places]
    names = _names(settings, places, formats)
    records = [
        data.read_annotations(
            place,
            None if place.is_dir() else settings.data_root,
            annotation_format=ClassFolders(names, source) if place.is_dir() else one,
        )
        for place, one in zip(places, formats, strict=True)
    ]
    if settings.on_error == "raise":
        for some in records:
            require_files(some)
    return LabeledVideos(tuple(records[0]), tuple(sum(records[1:], [])), names, source)


def _source(settings, row, place):
    if place.is_dir():
        if row is not None and row.source is not None:
            return folder_source(settings, row, place)
        return _plain_source(settings)
    if row is None or row.source is None:
        return plain_source_of_list(place) or _plain_source(settings)
    return row_source(row, source_kind(settings.source, row, place, settings.data_root))


def _plain_source(settings):
    kind = "video" if settings.source == "auto" else settings.source
    if kind not in _PLAIN:
        raise ValueError(
            f"source={settings.source!r}: expected one of {', '.join(_PLAIN)}, as the model is of "
            "no row of the zoo."
        )
    return _PLAIN[kind]()


def _list_format(settings, row, place):
    if place.is_dir() or row is None or row.source is None:
        return None
    kind = source_kind(settings.source, row, place, settings.data_root)
    return annotation_format_of(row, "test", kind, place)


def _names(settings, places, formats):
    folders = [place for place in places if place.is_dir()]
    if folders and not settings.class_names:
        return class_names_of(folders[0])
    if folders:
        return tuple(data.read_class_names(settings.class_names))
    return names_of_labels(settings.class_names, places, formats, settings.data_root)
