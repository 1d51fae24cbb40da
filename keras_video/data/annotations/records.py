"""What an annotation file says of one example, and the text it is said in."""

from dataclasses import dataclass
from pathlib import Path


class AnnotationError(ValueError):
    """An annotation file says something else than it should; the message begins `file:line:`."""


@dataclass(frozen=True)
class Record:
    """One example of an annotation file.

    Attributes:
        path: the video file, or the folder of its frames, joined with the root folder.
        labels: class indices; one for single-label data, any number otherwise.
        file: annotation file the record was read from.
        line: its line there, counted from 1.
        total_frames: number of frames as the file states it; None where it does not.
        offset: frames of the folder that come before the first one of the example.
        parts: numbers of the parts that a long video was cut into and that an example may be
            taken from.
        annotated: ranges of classes that somebody looked for in the video; None means all. The
            others are missing: neither present nor absent.
    """

    path: str
    labels: tuple[int, ...]
    file: str = ""
    line: int = 0
    total_frames: int | None = None
    offset: int = 0
    parts: tuple[int, ...] = ()
    annotated: tuple[range, ...] | None = None

    @property
    def source(self) -> str:
        """Where the record was read, as `file:line`."""
        return f"{self.file}:{self.line}"


def read_text(file):
    """The text of an annotation file.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: the file is not UTF-8 text.
    """
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"received {file}, expected a text file; there is none")
    try:
        # "utf-8-sig" drops the mark that some editors put before the first character.
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{file}: expected UTF-8 text: {error}") from error


def numbered_lines(file):
    """Numbered lines of a text file, counted from 1, stripped, without the blank ones.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: the file is not UTF-8 text.
    """
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if line.strip():
            yield number, line.strip()
