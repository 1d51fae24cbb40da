"""Predictions as files for other programs: JSON and CSV.

Both are UTF-8. Bytes of file names that are not UTF-8 are backslash-escaped as in JSON: Python's
`json` restores names that open the files.
"""

import csv
import io
import json
import math
import os
from pathlib import Path

from keras_video import atomic

COLUMNS = ("video", "start", "end", "rank", "class", "name", "score")


def prediction(path, best, windows=None, best_of=None):
    """The prediction for a video, as JSON values.

    Args:
        path: the video.
        best: `[(index, name, score), ...]` for the whole video, best first.
        windows: a `WindowScores`, or `None`.
        best_of: function from scores `(windows, classes)` to a list like `best` per window.

    Returns:
        `{"video": path, "top": [...]}`, with windows also `"windows": [{"start", "end", "top"}]`
        in seconds. An entry of "top" is `{"class": index, "name": ..., "score": ...}`.

    Raises:
        ValueError: for scores that are not finite.
    """
    result = {"video": os.fspath(path), "top": _entries(best, path)}
    if windows is not None:
        spans = zip(windows.starts, windows.ends, best_of(windows.scores), strict=True)
        result["windows"] = [
            {
                "start": round(float(start), 3),
                "end": round(float(end), 3),
                "top": _entries(entries, path),
            }
            for start, end, entries in spans
        ]
    return result


def write_json(path, predictions):
    """Writes a list of `prediction` values."""
    _write(path, json.dumps(predictions, indent=1, ensure_ascii=False) + "\n")


def write_csv(path, predictions):
    """Writes one line per class of a video or window; start and end are empty for whole videos."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for result in predictions:
        writer.writerows(_csv_lines(result))
    _write(path, text.getvalue())


class CsvFile:
    """A file in the format of `write_csv`, written incrementally, prediction by prediction.

    Args:
        path: the file, which is overwritten.
    """

    def __init__(self, path):
        target = Path(path)
        self._file = target.open("w", encoding="utf-8", errors="backslashreplace", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(COLUMNS)

    def add(self, result):
        """Writes the lines of a `prediction`."""
        self._writer.writerows(_csv_lines(result))
        self._file.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def _csv_lines(result):
    for part in result.get("windows", [{**result, "start": "", "end": ""}]):
        for rank, entry in enumerate(part["top"], 1):
            score = f"{entry['score']:.6f}"
            prefix = (result["video"], part["start"], part["end"], rank)
            yield (*prefix, entry["class"], entry["name"], score)


def check_writable(*paths):
    """Creates the folders of files to be written, so that errors show before the work.

    Raises:
        OSError: if a folder cannot be created.
    """
    for path in paths:
        if path is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)


def _entries(best, path):
    wrong = sum(not math.isfinite(score) for _, _, score in best)
    if wrong:
        raise ValueError(
            f"{path}: received scores of which {wrong} of {len(best)} are not finite, expected "
            "numbers: the model has diverged, or its precision is too low"
        )
    return [{"class": index, "name": name, "score": score} for index, name, score in best]


def _write(path, text):
    atomic.write_text(path, text, errors="backslashreplace")
