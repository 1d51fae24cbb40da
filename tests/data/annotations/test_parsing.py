import json
import os

import pytest

from keras_video.data.annotations.parsing import (
    AnnotationError,
    Record,
    check_files,
    read_annotations,
    read_class_names,
)
from keras_video.data.annotations.records import printable

pytestmark = pytest.mark.unit


@pytest.fixture
def write(tmp_path):
    def write(text, name="train.txt"):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


def test_paths_labels_and_lines(write):
    file = write("a.mp4 0\n\n  some folder/b  c.mp4\t2 \r\nd.mp4 1 0 3")
    assert read_annotations(file) == [
        Record("a.mp4", (0,), str(file), 1),
        Record("some folder/b  c.mp4", (2,), str(file), 3),
        Record("d.mp4", (1, 0, 3), str(file), 4),
    ]


def test_labels_are_the_integers_at_the_end(write):
    file = write("take 2 of 7.mp4 5\n7 1\nclip.mp4 0 cat 3\n")
    assert [(record.path, record.labels) for record in read_annotations(file)] == [
        ("take 2 of 7.mp4", (5,)),
        ("7", (1,)),
        ("clip.mp4 0 cat", (3,)),
    ]


def test_root_is_prepended_to_relative_paths(write, tmp_path):
    file = write("sub/a.mp4 0\n/other/b.mp4 1\n")
    paths = [record.path for record in read_annotations(file, root=tmp_path / "videos")]
    assert paths == [str(tmp_path / "videos/sub/a.mp4"), "/other/b.mp4"]


def test_repeated_videos_are_kept(write):
    assert len(read_annotations(write("a.mp4 0\na.mp4 0\na.mp4 1\n"))) == 3


def test_byte_order_mark_and_other_alphabets(write):
    records = read_annotations(write("\ufeffvidéo 影.mp4 0\n".encode()))
    assert records[0].path == "vidéo 影.mp4"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b.mp4", r":2: received 'b.mp4', expected 'path label \[label ...\]': a label is missing"),
        ("b.mp4 cat", r":2: received 'b.mp4 cat', .* the last word 'cat' is not an integer"),
        ("b.mp4 1.5", r":2: received 'b.mp4 1.5', .* the last word '1.5' is not an integer"),
        ("b.mp4 0 x", r":2: .* the last word 'x' is not an integer"),
        ("b.mp4 ٣", r":2: .* is not an integer"),
        ("17", r":2: received '17', .* a path is missing"),
        ("b.mp4 -1", r":2: received label -1, expected a class index in \[0, 3\)"),
        ("b.mp4 3", r":2: received label 3, expected a class index in \[0, 3\)"),
        ("b.mp4 0 7", r":2: received label 7, expected a class index in \[0, 3\)"),
    ],
)
def test_errors_name_file_and_line(write, line, message):
    file = write(f"a.mp4 0\n{line}\nc.mp4 1\n")
    with pytest.raises(AnnotationError, match=message) as caught:
        read_annotations(file, classes=3)
    assert str(caught.value).startswith(f"{file}:2:")


def test_without_classes_only_negative_labels_are_rejected(write):
    assert read_annotations(write("a.mp4 99999\n"))[0].labels == (99999,)
    with pytest.raises(AnnotationError, match="train.txt:1: received label -2, expected 0 or more"):
        read_annotations(write("a.mp4 -2\n"))


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_empty_files_are_rejected(write, text):
    with pytest.raises(AnnotationError, match="train.txt: received a file without records"):
        read_annotations(write(text))


def test_missing_and_unreadable_annotation_files(write, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.txt"):
        read_annotations(tmp_path / "absent.txt")
    with pytest.raises(FileNotFoundError, match="expected a text file"):
        read_annotations(tmp_path)
    with pytest.raises(AnnotationError, match="train.txt: expected UTF-8"):
        read_annotations(write(b"\xff\xfe\x00a.mp4 0\n"))
    with pytest.raises(AnnotationError, match="train.txt: expected UTF-8"):
        read_annotations(write("a.mp4 0\n".encode("utf-16-be")))


def test_other_formats_share_the_checks(write):
    def tuples(file):
        yield Record("a", (0,), str(file), 1)
        yield Record("b", (4,), str(file), 2)

    file = write("")
    assert [r.path for r in read_annotations(file, root="/r", annotation_format=tuples)] == [
        "/r/a",
        "/r/b",
    ]
    with pytest.raises(AnnotationError, match=r"train.txt:2: received label 4"):
        read_annotations(file, classes=4, annotation_format=tuples)


def test_missing_videos_are_listed_with_their_lines(write, tmp_path):
    (tmp_path / "a.mp4").touch()
    records = read_annotations(write("a.mp4 0\nb.mp4 0\nc.mp4 1\nd.mp4 1\n"), root=tmp_path)
    check_files(records[:1])
    with pytest.raises(FileNotFoundError) as caught:
        check_files(records, shown=2)
    lines = str(caught.value).splitlines()
    assert lines[0] == "3 of 4 annotated videos do not exist:"
    assert lines[1].strip() == f"{tmp_path}/train.txt:2: no file {tmp_path}/b.mp4"
    assert lines[2].strip() == f"{tmp_path}/train.txt:3: no file {tmp_path}/c.mp4"
    assert lines[3].strip() == "... and 1 more"


def test_class_names(write):
    assert read_class_names(write("doing exercises\ntyping\n\n")) == ["doing exercises", "typing"]
    with pytest.raises(AnnotationError, match=r"train.txt:2: received a blank line, .* class 1"):
        read_class_names(write("a\n\nb\n"))
    with pytest.raises(AnnotationError, match="without names"):
        read_class_names(write("\n"))


def test_duplicate_class_names_are_reported(write, monkeypatch):
    messages = []
    monkeypatch.setattr("absl.logging.warning", lambda text, *words: messages.append(text % words))
    assert read_class_names(write("a\nb\na\n")) == ["a", "b", "a"]
    assert "train.txt: the class name 'a' is in lines 1, 3" in messages[0]
    read_class_names(write("a\nb\n"))
    assert len(messages) == 1


def test_non_utf8_names_open_their_files(write, tmp_path):
    name = os.fsdecode(b"caf\xe9.mp4")
    (tmp_path / name).touch()
    (record,) = read_annotations(write(b"caf\xe9.mp4 1\n"), tmp_path)
    assert record.listed == name
    check_files([record])
    (tmp_path / "a.JSON").write_text(json.dumps([{"filename": name, "label": 1}]))
    assert read_annotations(tmp_path / "a.JSON", tmp_path)[0].path == record.path
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*caf\\udce9.mp4"):
        check_files([record])
    assert read_class_names(write(b"caf\xe9\r\nb\r\n")) == ["caf\udce9", "b"]


def test_byte_order_mark_and_line_endings_of_other_systems(write):
    for text in ("\ufeffa.mp4 0\r\nb c.mp4 1\r\n", "a.mp4 0\rb c.mp4 1\r"):
        records = read_annotations(write(text.encode()))
        assert [(record.path, record.labels, record.line) for record in records] == [
            ("a.mp4", (0,), 1),
            ("b c.mp4", (1,), 2),
        ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1.mp4, 0", r"received the path '1.mp4,', expected words separated by spaces"),
        ("1.mp4,0", "received '1.mp4,0', .*`CsvTable` reads commas"),
        ("1.mp4 4294967296", "received label 4294967296, expected at most 2147483647"),
        ("1.mp4 2147483648", "received label 2147483648, expected at most 2147483647"),
    ],
)
def test_commas_and_labels_too_large_for_an_array(line, message, write):
    with pytest.raises(AnnotationError, match=f"train.txt:2: {message}"):
        read_annotations(write(f"a.mp4 2147483647\n{line}\n"))


def test_a_file_name_ending_in_a_comma(write, tmp_path):
    (tmp_path / "1.mp4,").touch()
    assert read_annotations(write("1.mp4, 0\n"), tmp_path)[0].listed == "1.mp4,"


def test_a_folder_given_as_a_list_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a text file; which is a folder"):
        read_annotations(tmp_path)


def test_text_printable_on_every_terminal():
    assert printable("vidéo 影\udce9\n\x1b[31m") == r"vidéo 影\udce9\n\x1b[31m"
