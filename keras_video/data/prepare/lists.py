"""Annotation lists from published dataset annotations and the files on disk."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from absl import logging

from keras_video.data.annotations.records import printable
from keras_video.data.decoding.videos import DecodeError, open_video
from keras_video.data.parallel import in_parallel
from keras_video.data.sources.frame_files import folders_of_frames, frame_numbers
from keras_video.data.sources.videos import ALL_VIDEO_SUFFIXES, files_in


@dataclass(frozen=True)
class Entry:
    """A labeled video of a dataset, before it is located on disk.

    Attributes:
        name: the end of its path, with or without the file extension: `class/v_01.avi` or `v_01`.
        labels: class indices.
        segment: start and end of a part of the video, as fractions of its length from 0 to 1;
            None for all of it.
    """

    name: str
    labels: tuple[int, ...]
    segment: tuple[float, float] | None = None


@dataclass(frozen=True)
class Listing:
    """The content of the annotation files of a dataset.

    Attributes:
        class_names: in the order of the labels.
        splits: entries of each split, such as "train" and "val".
    """

    class_names: Sequence[str]
    splits: dict[str, list[Entry]]


def videos_on_disk(root):
    """`{name: path below root}` of the videos in a folder; see `matched`."""
    root = Path(root)
    return _by_name(path.relative_to(root) for path in files_in(root, ALL_VIDEO_SUFFIXES))


def frames_on_disk(root, template="img_{:05}.jpg", fields=()):
    """`{name: path below root}` of the folders of frames in a folder; see `matched`."""
    root = Path(root)
    return _by_name(path.relative_to(root) for path in folders_of_frames(root, template, fields))


def _by_name(paths):
    by_name = {}
    for path in paths:
        whole = path.with_suffix("") if path.suffix.lower() in ALL_VIDEO_SUFFIXES else path
        parts = whole.parts
        # A video can be identified by any trailing part of its path, down to its name.
        for start in range(len(parts)):
            key = "/".join(parts[start:])
            # None marks ambiguous names.
            by_name[key] = path.as_posix() if key not in by_name else None
    return by_name


def matched(entries, files):
    """Matches entries with files on disk.

    Args:
        entries: sequence of `Entry`.
        files: the result of `videos_on_disk` or `frames_on_disk`.

    Returns:
        `(pairs, missing)`: pairs of an entry and its path, and the names without a file.

    Raises:
        ValueError: several files have the name of an entry.
    """
    pairs, missing = [], []
    for entry in entries:
        name = re.sub(r"\.[A-Za-z0-9]{2,4}$", "", entry.name)
        key = entry.name if entry.name in files else name
        if key not in files:
            missing.append(entry.name)
        elif files[key] is None:
            raise ValueError(f"several files end in {key!r}, expected one; name more of its path")
        else:
            pairs.append((entry, files[key]))
    return pairs, missing


def video_list(pairs):
    """Lines `path label [label ...]`; this format cannot express segments of a video.

    Raises:
        ValueError: an entry is a segment, or a path cannot be written in a line.
    """
    cut = [entry for entry, _ in pairs if entry.segment is not None]
    if cut:
        raise ValueError(
            f"{cut[0].name} is a segment of a video, which only lists of frames support"
        )
    return [f"{_listable(path)} {_words(entry.labels)}" for entry, path in pairs]


def frame_list(pairs, root, template="img_{:05}.jpg", fields=(), show_progress=True):
    """Lines `path frames label [label ...]`; with segments `path offset frames label ...`.

    Args:
        pairs: see `matched`.
        root: folder of the paths.
        template, fields: see `frames_of`.
        show_progress: whether to draw a progress bar.

    Raises:
        ValueError: a path cannot be written in a line.
    """

    def count(path):
        first, last = frame_numbers(str(Path(root, path)), template, fields)
        return last + 1 - first

    counts = _counts(count, pairs, show_progress)
    with_offset = any(entry.segment is not None for entry, _ in pairs)
    lines = []
    for entry, path in pairs:
        total, (start, end) = counts[path], entry.segment or (0.0, 1.0)
        offset = min(int(start * total), total - 1)
        length = max(1, min(int(end * total), total) - offset)
        numbers = f"{offset} {length}" if with_offset else str(total)
        lines.append(f"{_listable(path)} {numbers} {_words(entry.labels)}")
    return lines


def audio_list(pairs, root, suffix, videos_root=None, show_progress=True):
    """Lines `path frames label [label ...]` of audio files or features, with video frame counts.

    Args:
        pairs: see `matched`, of videos.
        root: folder of the videos.
        suffix: ending of the audio files, which are arranged like the videos: ".wav" or ".npy".
    """

    def count(path):
        try:
            return open_video(Path(root, path)).total_frames
        except DecodeError:
            return 0

    counts = _counts(count, pairs, show_progress)
    unread = [path for path, number in counts.items() if not number]
    if unread:
        text = "left out %d videos that cannot be read, such as %s"
        logging.warning(text, len(unread), printable(unread[0]))
    return [
        f"{_listable(Path(path).with_suffix(suffix).as_posix())} {counts[path]} "
        f"{_words(entry.labels)}"
        for entry, path in pairs
        if counts[path]
    ]


def write_lines(file, lines):
    """Writes a list; file names that are not UTF-8 are written as raw bytes."""
    text = "".join(f"{line}\n" for line in lines)
    Path(file).write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")


def _listable(path):
    """A path, if a line of a list can represent it."""
    if re.search(r"[\r\n]", path):
        raise ValueError(
            f"received the path {path!r}, which a list of lines cannot name: rename it, "
            "or write the list as JSON"
        )
    return path


def _counts(count, pairs, show_progress):
    paths = sorted({path for _, path in pairs})
    counts = in_parallel(count, paths, show_progress=show_progress)
    return {paths[position]: number for position, number in counts}


def _words(numbers):
    return " ".join(map(str, numbers))
