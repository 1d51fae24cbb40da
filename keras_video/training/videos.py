"""The lists of videos of a run, and how they are read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keras_video import data
from keras_video.data.annotations.forms import video_lines
from keras_video.data.annotations.reading import first_paths
from keras_video.data.annotations.records import is_json
from keras_video.data.rows.sources import row_form, row_source
from keras_video.data.sources.videos import IMAGE_SUFFIXES

SOURCES = ("auto", "video", "rawframes", "flow", "images")


@dataclass(frozen=True)
class VideoLists:
    """The lists of a training.

    Attributes:
        train_list, val_list: annotation files; `None` in a dry run.
        root: folder of their paths.
        class_names: a name per class.
        source: where frames come from, see `keras_video.data.sources.videos`.
        train_form, val_form: how the files are written; `None` for the source's usual form.
    """

    train_list: Path | None
    val_list: Path | None
    root: Path | None
    class_names: tuple[str, ...]
    source: object = None
    train_form: Callable | None = None
    val_form: Callable | None = None


def find_videos(flags, row, task="appearance"):
    """The lists that the flags name, or the embedded dataset of this task.

    Raises:
        ValueError: if only one of the two lists is given, or the names do not cover the labels.
    """
    if not flags.train_list and not flags.val_list:
        train_list, val_list, class_names = data.embedded_dataset(task)
        return VideoLists(train_list, val_list, train_list.parent, tuple(class_names))
    if not (flags.train_list and flags.val_list):
        raise ValueError(
            f"--train_list={flags.train_list} --val_list={flags.val_list}: give both or neither."
        )
    lists = [Path(flags.train_list), Path(flags.val_list)]
    root = Path(flags.data_root) if flags.data_root else None
    kind = source_kind(flags.source, row, lists[0], root)
    phases = zip(("train", "test"), lists, strict=True)
    forms = [form_of(row, phase, kind, path) for phase, path in phases]
    names = names_of_labels(flags.class_names, lists, forms, root)
    check_class_count(names, row)
    return VideoLists(*lists, root, names, row_source(row, kind), *forms)


def form_of(row, phase, kind, file):
    """How a list is written; `None` for JSON, which says so itself."""
    return None if is_json(file) else row_form(row, phase, kind)


def source_kind(wanted, row, file, root=None):
    """The kind of source that "auto" means for a list: what its first line names.

    A folder holds frames (of optical flow, where the row wants it), a file is a video or image.
    """
    if wanted != "auto":
        return wanted
    if is_json(file):
        return "video"
    paths = [Path(path) for path in first_paths(file, root, video_lines)]
    if any(path.is_dir() for path in paths):
        stated = row.source.test.kind
        return stated if stated in ("rawframes", "flow") else "rawframes"
    return "images" if paths and paths[0].suffix.lower() in IMAGE_SUFFIXES else "video"


def on_error_of_evaluation(flags):
    """What an evaluation does about unreadable videos.

    Others in their place would count twice.
    """
    return "skip" if flags.on_error == "replace" else flags.on_error


def check_class_count(names, row):
    """Refuses a single class where a classifier chooses among classes.

    Raises:
        ValueError: if there is one class, unless every class has a probability of its own.
    """
    if len(names) == 1 and not (row.loss is not None and row.loss.kind == "binary"):
        raise ValueError(
            f"the lists have the one class {names[0]!r}, expected at least two: a softmax over one "
            "class is always 1, and there is nothing to learn"
        )


def names_of_labels(file, lists, forms, root=None):
    """The names in `file`, one per line, or numbers for the labels of the lists.

    Args:
        file: file of names, or `None`.
        lists, forms: annotation files and how each is written.
        root: folder of their paths, which can say where a path ends.

    Raises:
        ValueError: if there are fewer names than labels.
    """
    pairs = zip(lists, forms, strict=True)
    read = [data.read_annotations(path, root, form=form) for path, form in pairs]
    largest = max(max(record.labels, default=0) for records in read for record in records)
    if not file:
        return tuple(str(index) for index in range(largest + 1))
    names = tuple(data.read_class_names(file))
    if len(names) <= largest:
        raise ValueError(
            f"--class_names={file} has {len(names)} names, the largest label of the lists is "
            f"{largest}."
        )
    return names
