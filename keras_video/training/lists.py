"""The lists of a run, and how they are read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keras_video import data, zoo
from keras_video.data.rows.audio import audio_form, names_features, row_audio_source
from keras_video.data.rows.sources import form_of, row_source, source_kind
from keras_video.zoo.protocol import AUDIO, VIDEO, modality

# Datasets that are drawn on the spot, by the name that example rows give them.
EMBEDDED = {
    "moving_shapes": lambda: data.embedded_dataset("appearance"),
    "moving_shapes_order": lambda: data.embedded_dataset("order"),
    "sounding_shapes": lambda: data.embedded_sounding_shapes("sound"),
    "sounding_shapes_both": lambda: data.embedded_sounding_shapes("both"),
}


@dataclass(frozen=True)
class RunLists:
    """The lists of a training.

    Attributes:
        train_list, val_list: annotation files; `None` in a dry run.
        root: folder of their paths.
        class_names: a name per class.
        source: where the examples come from, see `keras_video.data.sources.videos`; `None` for
            video files, or sound that is decoded.
        train_form, val_form: how the files are written; `None` for the source's usual form.
    """

    train_list: Path | None
    val_list: Path | None
    root: Path | None
    class_names: tuple[str, ...]
    source: object = None
    train_form: Callable | None = None
    val_form: Callable | None = None


def find_lists(settings, row):
    """The lists of a run's settings, or the embedded dataset of the row's family.

    Lists of a row with sound name sounds, videos with sound, or stored features (`.npy`).

    Args:
        settings: the `RunSettings`.
        row: the row that is trained.

    Returns:
        `RunLists`.

    Raises:
        ValueError: if the names do not cover the labels.
    """
    if not settings.train_list:
        return embedded_lists(row)
    lists = [Path(settings.train_list), Path(settings.val_list)]
    root = Path(settings.data_root) if settings.data_root else None
    if modality(row) == VIDEO:
        kind = source_kind(settings.source, row, lists[0], root)
        phases = zip(("train", "test"), lists, strict=True)
        forms = [form_of(row, phase, kind, path) for phase, path in phases]
        source = row_source(row, kind)
    else:
        if settings.source != "auto":
            raise ValueError(
                f"source={settings.source!r}: {row.name} hears sound, which needs no source."
            )
        forms = [audio_form(path, row) for path in lists]
        stored = modality(row) == AUDIO and names_features(lists[0])
        source = row_audio_source(row, features=True) if stored else None
    names = names_of_labels(settings.class_names, lists, forms, root)
    check_class_count(names, row)
    return RunLists(*lists, root, names, source, *forms)


def embedded_lists(row):
    """The lists of the embedded dataset that the examples of a row's family are trained on."""
    if row.dataset not in EMBEDDED:
        examples = zoo.rows(family=row.family, kind="example")
        fitting = [one for one in examples if modality(one) == modality(row)]
        row = fitting[0]
    train_list, val_list, names = EMBEDDED[row.dataset]()
    return RunLists(train_list, val_list, train_list.parent, tuple(names))


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
            f"class_names={file} has {len(names)} names, the largest label of the lists is "
            f"{largest}."
        )
    return names
