"""Files that list the videos to label, for annotators and annotation tools."""

import csv
import io
import json
from pathlib import Path
from urllib.parse import quote

from keras_video import atomic
from keras_video.data.annotations.records import printable

EXPORTS = ("csv", "label-studio")
# URL prefix under which Label Studio serves local files.
LOCAL_FILES = "/data/local-files/?d="
_SUFFIXES = {"csv": ".csv", "label-studio": ".label-studio.json"}


def write_list(path, videos):
    """Writes a line per video: its path.

    Raises:
        ValueError: for a path with a line break, which a list cannot represent.
    """
    for video in videos:
        if "\n" in video or "\r" in video:
            raise ValueError(f"received the path {printable(video)}, expected no line breaks")
    atomic.write_text(path, "".join(f"{video}\n" for video in videos), "surrogateescape")


def write_export(kind, path, videos, candidates, class_names, *, root, url_prefix=LOCAL_FILES):
    """Writes the videos in the format of an annotation tool, beside the list.

    Args:
        kind: "csv" (`video,rank,score,label,probability`) or "label-studio" (a JSON list of tasks
            of video classification with the most probable class as a prediction).
        path: path of the list; the export has the same name with another suffix.
        videos: their paths.
        candidates: a `Candidate` for each.
        class_names: names of the classes, or `None` without labeled videos.
        root: folder that Label Studio's URLs are relative to.
        url_prefix: prefix of these URLs.

    Returns:
        The path of the file.

    Raises:
        ValueError: for a video outside of `root`, with "label-studio".
    """
    path = Path(path).with_suffix(_SUFFIXES[kind])
    rows = list(zip(videos, candidates, strict=True))
    if kind == "csv":
        text = _csv(rows, class_names)
    else:
        text = _tasks(rows, class_names, Path(root), url_prefix)
    atomic.write_text(path, text, "surrogateescape")
    return path


def _guess(candidate, class_names):
    """The most probable class and its probability, or `None`."""
    if candidate.scores is None:
        return None
    index = int(candidate.scores.argmax())
    return class_names[index], float(candidate.scores[index])


def _csv(rows, class_names):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["video", "rank", "score", "label", "probability"])
    for rank, (video, candidate) in enumerate(rows, start=1):
        guess = _guess(candidate, class_names)
        shown = ("", "") if guess is None else (guess[0], f"{guess[1]:.4f}")
        writer.writerow([video, rank, f"{candidate.score:.6g}", *shown])
    return text.getvalue()


def _tasks(rows, class_names, root, url_prefix):
    tasks = []
    for video, candidate in rows:
        address = url_prefix + quote(_inside(video, root), errors="surrogateescape")
        task = {"data": {"video": address, "score": candidate.score}}
        guess = _guess(candidate, class_names)
        if guess is not None:
            choice = {
                "from_name": "label",
                "to_name": "video",
                "type": "choices",
                "value": {"choices": [guess[0]]},
            }
            prediction = {"model_version": "keras-video", "score": guess[1], "result": [choice]}
            task["predictions"] = [prediction]
        tasks.append(task)
    return json.dumps(tasks, indent=2) + "\n"


def _inside(video, root):
    video, root = Path(video).absolute(), root.absolute()
    if not video.is_relative_to(root):
        raise ValueError(
            f"received the video {printable(video)} outside of {root}, which Label Studio's URLs "
            "are relative to: give another --url_root"
        )
    return video.relative_to(root).as_posix()


def labeling_config(class_names):
    """Label Studio's labeling interface for the tasks, as XML."""
    from xml.sax.saxutils import quoteattr

    choices = [f"    <Choice value={quoteattr(name)}/>" for name in class_names]
    return "\n".join(
        [
            "<View>",
            '  <Video name="video" value="$video"/>',
            '  <Choices name="label" toName="video">',
            *choices,
            "  </Choices>",
            "</View>",
            "",
        ]
    )
