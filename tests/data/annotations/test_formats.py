import functools

import pytest

from keras_video.data.annotations.formats import frame_lines, offset_lines, part_lines, video_lines
from keras_video.data.annotations.parsing import AnnotationError, Record, read_annotations

pytestmark = pytest.mark.unit


@pytest.fixture
def write(tmp_path):
    def write(text):
        file = tmp_path / "list.txt"
        file.write_text(text)
        return file

    return write


def test_frames_then_labels(write):
    file = write("some/video 163 1\n\n12 60 3\nsome clip 9 1 3 5\n")
    assert read_annotations(file, annotation_format=frame_lines) == [
        Record("some/video", (1,), str(file), 1, total_frames=163),
        Record("12", (3,), str(file), 3, total_frames=60),
        Record("some clip", (1, 3, 5), str(file), 4, total_frames=9),
    ]


def test_offset_then_frames_then_label(write):
    file = write("a/v_1 12 163 3\n")
    (record,) = read_annotations(file, "root", annotation_format=offset_lines)
    assert record == Record("root/a/v_1", (3,), str(file), 1, total_frames=163, offset=12)


def test_positive_parts(write):
    file = write("a/b 66 10 0 1 2\nc 5 3\n-G-5CJ 33 1 0\n")
    records = read_annotations(file, annotation_format=part_lines)
    assert [(record.path, record.labels, record.parts) for record in records] == [
        ("a/b", (66,), (0, 1, 2)),
        ("-G-5CJ", (33,), (0,)),
    ]
    with_negatives = read_annotations(
        file, annotation_format=functools.partial(part_lines, parts="all")
    )
    assert [record.parts for record in with_negatives] == [tuple(range(10)), (0, 1, 2), (0,)]
    with pytest.raises(ValueError, match="received parts='some'"):
        list(part_lines(file, parts="some"))


@pytest.mark.parametrize(
    "annotation_format,line,problem",
    [
        (video_lines, "clip.mp4", "a label is missing"),
        (frame_lines, "folder 3", "a label is missing"),
        (frame_lines, "folder", "the number of frames is missing"),
        (frame_lines, "3 4", "a path is missing"),
        (frame_lines, "folder 3 cat", "the last word 'cat' is not an integer"),
        (frame_lines, "folder -1 0", "received frames -1"),
        (offset_lines, "folder 3 4", "a label is missing"),
        (offset_lines, "folder -3 4 1", "received offset -3"),
        (part_lines, "folder 3", "the number of parts is missing"),
        (part_lines, "folder 3 2 2", "received positive part 2, expected a number in \\[0, 2\\)"),
    ],
)
def test_errors_name_the_line(annotation_format, line, problem, write):
    file = write(f"good 4 4 0 0\n{line}\n")
    with pytest.raises(AnnotationError, match=rf"list.txt:2: .*{problem}"):
        read_annotations(file, annotation_format=annotation_format)


@pytest.mark.parametrize(
    "annotation_format,line,expected",
    [
        (video_lines, "take 2 1", ("take 2", (1,), {})),
        (frame_lines, "take 2 4 1", ("take 2", (1,), {"total_frames": 4})),
        (frame_lines, "take 2 4 1 3", ("take 2", (1, 3), {"total_frames": 4})),
        (offset_lines, "take 2 3 4 1", ("take 2", (1,), {"total_frames": 4, "offset": 3})),
        (part_lines, "take 2 3 4 1", ("take 2", (3,), {"parts": (1,)})),
    ],
)
def test_a_path_ending_in_a_number_is_the_existing_folder(
    annotation_format, line, expected, write, tmp_path
):
    (tmp_path / "take 2").mkdir()
    (record,) = read_annotations(write(f"{line}\n"), tmp_path, annotation_format=annotation_format)
    path, labels, facts = expected
    assert record == Record(str(tmp_path / path), labels, str(tmp_path / "list.txt"), 1, **facts)
    assert record.listed == path and not record.readings


def test_a_line_matching_two_folders_is_an_error_without_a_label_count(write, tmp_path):
    for name in ("take", "take 2"):
        (tmp_path / name).mkdir()
    file = write("take 4 0\ntake 2 4 1\n")
    with pytest.raises(AnnotationError, match=r"list.txt:2: .*take' and .*take 2' exist"):
        read_annotations(file, tmp_path, annotation_format=frame_lines)
    counted = functools.partial(frame_lines, labels=1)
    records = read_annotations(file, tmp_path, annotation_format=counted)
    assert [(record.listed, record.total_frames, record.labels) for record in records] == [
        ("take", 4, (0,)),
        ("take 2", 4, (1,)),
    ]


def test_stored_features_may_be_listed_without_their_suffix(write, tmp_path):
    (tmp_path / "take 2.npy").touch()
    (record,) = read_annotations(write("take 2 40 1\n"), tmp_path, annotation_format=frame_lines)
    assert (record.listed, record.total_frames, record.labels) == ("take 2", 40, (1,))


def test_if_no_path_exists_every_trailing_integer_is_a_field(write, tmp_path):
    (record,) = read_annotations(write("take 2 4 1\n"), tmp_path, annotation_format=frame_lines)
    assert (record.listed, record.total_frames, record.labels) == ("take", 2, (4, 1))


def test_label_counts(write):
    file = write("a 1 2 3\n")
    (record,) = read_annotations(file, annotation_format=functools.partial(video_lines, labels=2))
    assert (record.path, record.labels) == ("a 1", (2, 3))
    with pytest.raises(AnnotationError, match="list.txt:1: .*a label is missing"):
        read_annotations(write("a 1\n"), annotation_format=functools.partial(video_lines, labels=2))
    with pytest.raises(ValueError, match="received labels=0"):
        read_annotations(file, annotation_format=functools.partial(video_lines, labels=0))


@pytest.mark.parametrize("name", [" a.mp4", "a ", "\u3000b\u00a0c.mp4", "a\u20282.mp4"])
def test_paths_may_begin_and_end_with_spaces_and_contain_whitespace(name, write, tmp_path):
    (tmp_path / name).touch()
    (record,) = read_annotations(write(f"{name} 3\n"), tmp_path)
    assert (record.listed, record.labels) == (name, (3,))
