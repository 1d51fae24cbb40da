"""Finds the files of a dataset that do not decode, before training hits them."""

import contextlib
import csv
import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_video.data.decoding.damage import find_damage
from keras_video.data.decoding.opening import MAX_PIXELS
from keras_video.data.decoding.videos import DecodeError, open_video
from keras_video.data.parallel import in_parallel, replacing
from keras_video.data.prepare.limited_calls import (
    CallCrashedError,
    CallTimeoutError,
    LimitedCalls,
)
from keras_video.data.sources.videos import Videos

# Frames held in memory at a time.
_FRAMES_AT_A_TIME = 32
# Extra seconds before a process is killed: a check inside it reports the timeout in more detail.
_GRACE = 2


@dataclass(frozen=True)
class BadExample:
    """An example that does not decode.

    Attributes:
        path: its file or folder.
        line: its line in the annotation file, 0 if there is none.
        reason: what is wrong, in one line.
    """

    path: str
    line: int
    reason: str


def check_records(records, source=None, workers=None, show_progress=True, time_limit=None):
    """Decodes every frame of every example once.

    Args:
        records: sequence of `Record`; a file named by several is decoded once.
        source: where the frames come from; None means `Videos()`.
        workers, show_progress: see `in_parallel`.
        time_limit: seconds that one example may take. Each is then decoded in a separate
            process, so one that hangs or crashes the decoder is also reported; the source is
            pickled, and a script needs its code under `if __name__ == "__main__":`. None decodes
            in threads of this process without a limit.

    Returns:
        A `BadExample` for every record that did not decode, in the order of the records.

    Raises:
        ValueError: if the limit is not a number of at least 0.
    """
    if time_limit is not None and not 0 <= time_limit < math.inf:
        raise ValueError(f"received time_limit={time_limit}, expected seconds, at least 0, or None")
    records, source = list(records), Videos() if source is None else source
    distinct = {_key(record): record for record in reversed(records)}
    problem_of = functools.partial(_problem, source=source, time_limit=time_limit)
    keys, problems = list(distinct), {}
    with _limited(problem_of, time_limit) as problem_of:
        checked = in_parallel(problem_of, distinct.values(), workers, show_progress)
        for position, problem in checked:
            problems[keys[position]] = problem
    return [
        BadExample(record.path, record.line, problems[_key(record)])
        for record in records
        if problems[_key(record)] is not None
    ]


def write_report(bad, path):
    """Writes a CSV file of `path,line,reason`, one line per bad example."""
    # File names need not be UTF-8.
    text = {"newline": "", "encoding": "utf-8", "errors": "backslashreplace"}
    with replacing(path) as temporary, Path(temporary).open("w", **text) as file:
        writer = csv.writer(file)
        writer.writerow(("path", "line", "reason"))
        writer.writerows((example.path, example.line, example.reason) for example in bad)


def check_video(path, max_pixels=MAX_PIXELS, time_limit=None):
    """Decodes a video from start to end.

    Args:
        path: the file.
        max_pixels: see `open_video`.
        time_limit: seconds that it may take; None sets no limit. A file that yields no frame for
            a minute is abandoned in any case. Both are checked between frames: FFmpeg itself
            cannot be interrupted within a process, see `check_records`.

    Raises:
        DecodeError: it does not decode, yields a different number of frames than its packets or
            container duration announce, or has damage that FFmpeg conceals; see `find_damage`.
    """
    announced = open_video(path, max_pixels).total_frames
    frame_count, damage = find_damage(path, max_pixels, time_limit=time_limit)
    if damage is not None:
        raise DecodeError(path, damage, frame_count=frame_count)
    if frame_count != announced:
        raise DecodeError(path, f"it announces {announced} frames and yields {frame_count}")


@contextlib.contextmanager
def _limited(problem_of, time_limit):
    """`problem_of`; with a limit, run in processes that are ended when the block exits."""
    if time_limit is None:
        yield problem_of
        return
    with LimitedCalls(problem_of, time_limit + _GRACE) as calls:

        def limited(record):
            try:
                return calls(record)
            except CallTimeoutError:
                reason = f"decoding took over time_limit={time_limit:g} s and was ended"
            except CallCrashedError as error:
                reason = f"it crashes the decoder: {error}"
            return str(DecodeError(record.path, reason))

        yield limited


def _key(record):
    return record.path, record.total_frames, record.offset, record.parts


def _problem(record, source, time_limit):
    try:
        if isinstance(source, Videos) and source.decoder == "pyav":
            check_video(record.path, source.max_pixels, time_limit)
        elif hasattr(source, "videos"):
            for path in source.files(record):
                check_video(path, time_limit=time_limit)
        else:
            _read_all(source.open(record, np.random.default_rng(0)))
    except DecodeError as error:
        return str(error)
    return None


def _read_all(example):
    for start in range(0, example.total_frames, _FRAMES_AT_A_TIME):
        end = min(start + _FRAMES_AT_A_TIME, example.total_frames)
        example.read(np.arange(start, end)[None])
