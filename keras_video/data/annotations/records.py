"""Records of annotation files, and reading of their text."""

import codecs
from dataclasses import dataclass, field
from pathlib import Path


class AnnotationError(ValueError):
    """An annotation file is invalid; the message begins `file:line:`."""


@dataclass(frozen=True)
class Record:
    """One example of an annotation file.

    Attributes:
        path: the video file, or the folder of its frames, joined with the root folder. Bytes
            that are not UTF-8 are decoded as by `os.fsdecode`.
        labels: class indices; one for single-label data, any number otherwise.
        file: annotation file the record was read from.
        line: its line there, counted from 1.
        total_frames: number of frames as stated in the file; None if it is not.
        offset: number of frames of the folder before the first frame of the example.
        parts: numbers of the parts that a long video was cut into and that an example may be
            taken from.
        annotated: ranges of classes that annotators looked for in the video; None means all. The
            others are missing: neither present nor absent.
        listed: the path as written in the annotation file, if the record was read from one; not
            compared, like `readings`.
        readings: alternative records of an ambiguous line, see `read_annotations`.
        problem: the error of the line, raised unless the file or folder of the record, or of one
            of its `readings`, exists.
    """

    path: str
    labels: tuple[int, ...]
    file: str = ""
    line: int = 0
    total_frames: int | None = None
    offset: int = 0
    parts: tuple[int, ...] = ()
    annotated: tuple[range, ...] | None = None
    listed: str = field(default="", compare=False, repr=False)
    readings: tuple["Record", ...] = field(default=(), compare=False, repr=False)
    problem: AnnotationError | None = field(default=None, compare=False, repr=False)

    @property
    def source(self) -> str:
        """Where the record was read from, as `file:line`."""
        return f"{self.file}:{self.line}"


def printable(text):
    """One line of text, safe for any terminal or file; other characters are backslash-escaped.

    File names may have bytes that are not UTF-8, line ends and control characters.
    """
    text = str(text).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def is_json(file):
    """Whether a file has the extension of JSON."""
    return Path(file).suffix.lower() == ".json"


def read_text(file):
    """The text of an annotation file, line ends as `\\n`.

    UTF-8, with or without a byte order mark. Other bytes, which file names may have, are decoded
    as by `os.fsdecode`, so that the names open the files.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: the file is UTF-16 or no text.
    """
    file = Path(file)
    if not file.is_file():
        problem = "which is a folder" if file.is_dir() else "there is none"
        raise FileNotFoundError(f"received {file}, expected a text file; {problem}")
    data = file.read_bytes()
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
    if data.startswith(marks) or b"\0" in data:
        raise AnnotationError(f"{file}: expected UTF-8 text, received UTF-16 or no text")
    # "utf-8-sig" drops the mark that some editors put before the first character.
    text = data.decode("utf-8-sig", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def numbered_lines(file, strip=True):
    """Numbered lines of a text file, counted from 1, without the blank ones.

    Args:
        file: the file.
        strip: whether to remove the white space at the ends of a line.

    Raises:
        FileNotFoundError: if there is no such file.
        AnnotationError: the file is UTF-16 or no text.
    """
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if line.strip():
            yield number, line.strip() if strip else line
