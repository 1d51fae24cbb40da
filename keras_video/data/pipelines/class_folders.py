"""A folder with a sub-folder of videos for each class, in the place of an annotation file."""

from dataclasses import dataclass
from pathlib import Path

from ..annotations.parsing import Record
from ..annotations.shards import shard_records
from ..sources.videos import ALL_VIDEO_SUFFIXES, IMAGE_SUFFIXES, Source, Videos, files_in
from .directory import class_folders, examples_of_classes, part_of


@dataclass(frozen=True)
class ClassFolders:
    """How a folder of class folders is read where an annotation file is expected.

    Given as `form`, it makes records of the videos that a folder holds: `class_a/video.mp4` has the
    label of `class_a`. What counts as a video, and what is left out, is as in
    `video_dataset_from_directory`.

    Args:
        class_names: names of the folders in the order of their labels; `None` sorts them. A class
            without a folder has no videos; a folder that is not named is an error.
        source: where the frames come from; `None` means `Videos()`.
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
            NotADirectoryError: there is no such folder.
            ValueError: for a folder without videos, naming it; one that is not among the class
                names; or a split that leaves nothing for validation.
        """
        folder = Path(folder)
        source = Videos() if self.source is None else self.source
        there = class_folders(folder)
        names = there if self.class_names is None else [str(name) for name in self.class_names]
        unknown = sorted(set(there) - set(names))
        if unknown:
            raise ValueError(
                f"{folder} has the folders {unknown}, which are no classes: expected some of "
                f"{', '.join(names[:10])}{', ...' if len(names) > 10 else ''}"
            )
        found = examples_of_classes(folder, source, there)
        records = [
            Record(
                str(path),
                (names.index(name),),
                str(folder),
                listed=path.relative_to(folder).as_posix(),
            )
            for name in names
            for path in found.get(name, ())
        ]
        if self.validation_split is not None:
            # Records are read several times: whoever reads them says what a split leaves out.
            split = (self.validation_split, self.subset, self.split_seed)
            records = part_of(records, names, *split, told=False)
        return iter(records)


@dataclass(frozen=True)
class PartOfShards:
    """An annotation format: the examples of packed shards that one part of a split has.

    What was packed from class folders is split as these are by `ClassFolders`.

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
        # Records are read several times: whoever reads them says what a split leaves out.
        return part_of_list(records, *split, class_names=self.class_names, told=False)


def part_of_list(records, validation_split, subset, split_seed=0, *, class_names=None, told=True):
    """As `part_of`, for records of a list, whose classes are named by numbers if not told.

    Raises:
        ValueError: a record has several labels, or none.
    """
    several = [record for record in records if len(record.labels) != 1]
    if several:
        raise ValueError(
            f"{several[0].source}: received the labels {several[0].labels}, expected one label "
            "where a part of every class is set apart: give one list to train on and another"
        )
    count = 1 + max(record.labels[0] for record in records)
    names = class_names or [str(label) for label in range(count)]
    return part_of(records, names, validation_split, subset, split_seed, told=told)


def class_names_of(folder):
    """Names of the class folders of a folder, sorted, as a tuple.

    Raises:
        NotADirectoryError: there is no such folder.
        ValueError: it has no folders in it.
    """
    names = tuple(class_folders(Path(folder)))
    if not names:
        raise ValueError(f"received {folder}, expected a folder with one for each class in it")
    return names


def kind_of_folder(folder):
    """What a folder of class folders holds: "video", "images" (no folder of them) or "rawframes".

    Folders of images may be of frames, or of classes: those right below a class are of classes.
    """
    folder = Path(folder)
    if any(files_in(folder / name, ALL_VIDEO_SUFFIXES) for name in class_names_of(folder)):
        return "video"
    for name in class_names_of(folder):
        images = files_in(folder / name, IMAGE_SUFFIXES)
        if images:
            return "images" if images[0].parent == folder / name else "rawframes"
    return "video"
