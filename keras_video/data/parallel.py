"""Parallel processing of many files, with a progress bar."""

import contextlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from absl import logging

from keras_video.data.decoding.videos import DecodeError
from keras_video.progress import progress_bar


class JobSummary:
    """The outcome of a job of many items.

    Attributes:
        created: number of items processed by this run.
        reused: number of items that an earlier run had processed.
        failed: list of `(item, reason)`.
    """

    def __init__(self):
        self.created, self.reused, self.failed = 0, 0, []

    def __repr__(self):
        return f"{self.created} created, {self.reused} reused, {len(self.failed)} failed"

    def log(self, shown=10):
        """Logs the totals and the first failures."""
        logging.info("%r", self)
        for item, reason in self.failed[:shown]:
            logging.warning("%s: %s", item, reason)
        if len(self.failed) > shown:
            logging.warning("... and %d more failed", len(self.failed) - shown)


def in_parallel(function, items, workers=None, show_progress=True):
    """Applies a function to every item and yields the results in order of completion.

    Args:
        function: called with an item. It runs in threads: decoding releases the GIL.
        items: a sequence.
        workers: number of items processed at a time; None means one per processor.
        show_progress: whether to draw a progress bar.

    Yields:
        `(position, result)`. Exceptions of the function propagate.
    """
    items = list(items)
    bar = progress_bar(len(items), "file") if show_progress and items else None
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        waiting = {pool.submit(function, item): number for number, item in enumerate(items)}
        try:
            for future in as_completed(list(waiting)):
                position = waiting.pop(future)
                yield position, future.result()
                if bar:
                    bar.add(1)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def make_files(make, pairs, workers=None, show_progress=True):
    """Creates a file or folder for every source; existing ones are kept, so a run can resume.

    Args:
        make: called with a source and a path to write to; the path is moved into place when
            it returns, so whatever exists is complete.
        pairs: pairs of a source and the path to create from it.
        workers, show_progress: see `in_parallel`.

    Returns:
        A `JobSummary`. Sources that raise `DecodeError` or `OSError` count as failed; the others
        continue.
    """
    pairs, done = [(source, Path(target)) for source, target in pairs], JobSummary()

    def make_file(pair):
        source, target = pair
        if target.exists():
            return "reused"
        try:
            with replacing(target) as path:
                make(source, path)
        except (DecodeError, OSError) as error:
            return error
        return "created"

    for position, result in in_parallel(make_file, pairs, workers, show_progress):
        if result == "created":
            done.created += 1
        elif result == "reused":
            done.reused += 1
        else:
            done.failed.append((str(pairs[position][0]), str(result)))
    return done


@contextlib.contextmanager
def replacing(target):
    """A temporary path to write a file or folder to, moved to `target` on success."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The suffix is kept because writers choose the format by it.
    with tempfile.TemporaryDirectory(prefix=".making-", dir=target.parent) as folder:
        path = Path(folder, target.name)
        yield path
        path.rename(target)
