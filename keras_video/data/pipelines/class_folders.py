"""A folder with a sub-folder of videos per class, used in place of an annotation file."""

from dataclasses import dataclass
from pathlib import Path

from ..annotations.parsing import Record
from ..annotations.shards import shard_records
from ..sources.videos import ALL_VIDEO_SUFFIXES, IMAGE_SUFFIXES, Source, Videos, files_in
from .directory import class_folders, examples_of_classes, part_of


@dataclass(frozen=True)
class ClassFolders:
    """Annotation format for a folder with a sub-folder per class.

    As `annotation_format`, it creates records of the videos in a folder: `class_a/video.mp4` has
    the label of `class_a`. The same files count as videos, and the same are ignored, as in
    `video_dataset_from_directory`.

    Args:
        class_names: names of the folders in the order of their labels; `None` sorts them. A class
            without a folder has no videos; a folder that is not listed is an error.
        source: the source that opens the videos; `None` means `Videos()`.
        validation_split, subset, split_seed: see `video_dataset_from_directory`.
    """

    class_names: tuple[str, ...] | None = None
    source: Source | None = None
    validation_split: float | None = None
    subset: str | None = None
    split_seed: int = 0

    def __call__(self, folder):
        """The records of the folder, in the order of labels and names.

        Raises:
            NotADirectoryError: if the folder does not exist.
            ValueError: for a sub-folder without videos, naming it; one that is not among the class
                names; or a split that leaves nothing for validation.
        """
        folder = Path(folder)
        source = Videos() if self.source is None else self.source
        folders = class_folders(folder)
        names = folders if self.class_names is None else [str(name) for name in self.class_names]
        unknown = sorted(set(folders) - set(names))
        if unknown:
            raise ValueError(
                f"{folder} has the folders {unknown}, which are not classes: expected some of "
                f"{', '.join(names[:10])}{', ...' if len(names) > 10 else ''}"
            )
        examples = examples_of_classes(folder, source, folders)
        records = [
            Record(
                str(path),
                (names.index(name),),
                str(folder),
                listed=path.relative_to(folder).as_posix(),
            )
            for name in names
            for path in examples.get(name, ())
        ]
        if self.validation_split is not None:
            # Records are read several times; the caller warns of classes missing from a split.
            split = (self.validation_split, self.subset, self.split_seed)
            records = part_of(records, names, *split, warn=False)
        return iter(records)


@dataclass(frozen=True)
class PartOfShards:
    """Annotation format for the examples of packed shards in one part of a split.

    Shards packed from class folders are split as `ClassFolders` splits the folders.

    Args:
        class_names: a name for each class.
        validation_split, subset, split_seed: see `video_dataset_from_directory`.
    """

    class_names: tuple[str, ...]
    validation_split: float
    subset: str
    split_seed: int = 0

    def __call__(self, file):
        """The records of the manifest."""
        split = (self.validation_split, self.subset, self.split_seed)
        records = list(shard_records(file))
        # Records are read several times; the caller warns of classes missing from a split.
        return part_of_list(records, *split, class_names=self.class_names, warn=False)


def part_of_list(records, validation_split, subset, split_seed=0, *, class_names=None, warn=True):
    """As `part_of`, for the records of a list; classes without names are numbered.

    Raises:
        ValueError: if a record does not have exactly one label.
    """
    several = [record for record in records if len(record.labels) != 1]
    if several:
        raise ValueError(
            f"{several[0].source}: received the labels {several[0].labels}, expected one label "
            "for splitting by class; use separate lists for training and evaluation"
        )
    count = 1 + max(record.labels[0] for record in records)
    names = class_names or [str(label) for label in range(count)]
    return part_of(records, names, validation_split, subset, split_seed, warn=warn)


def class_names_of(folder):
    """The sorted names of the class folders in a folder, as a tuple.

    Raises:
        NotADirectoryError: if the folder does not exist.
        ValueError: if it contains no folders.
    """
    names = tuple(class_folders(Path(folder)))
    if not names:
        raise ValueError(f"received {folder}, expected a folder with a sub-folder for each class")
    return names


def kind_of_folder(folder):
    """The kind of examples in a folder of class folders: "video", "images" or "rawframes".

    Images directly inside a class folder are examples; images in deeper folders are frames.
    """
    folder = Path(folder)
    if any(files_in(folder / name, ALL_VIDEO_SUFFIXES) for name in class_names_of(folder)):
        return "video"
    for name in class_names_of(folder):
        images = files_in(folder / name, IMAGE_SUFFIXES)
        if images:
            return "images" if images[0].parent == folder / name else "rawframes"
    return "video"
