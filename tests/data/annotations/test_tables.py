import json

import numpy as np
import pytest

from keras_video.data.annotations.parsing import AnnotationError, Record, read_annotations
from keras_video.data.annotations.tables import HVU_CATEGORIES, CsvTable, TaggedJson, json_entries

pytestmark = pytest.mark.unit


@pytest.fixture
def write(tmp_path):
    def write(content, name="list.json"):
        file = tmp_path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        return file

    return write


def test_videos_frames_and_parts(write):
    file = write(
        """[
          {"filename": "a.mp4", "label": [1]},
          {"frame_dir": "b", "total_frames": 61, "label": [1, 3]},

          {"frame_dir": "b", "total_frames": 5, "offset": 9, "label": 2}
        , {"video_dir": "d", "label": 4, "num_clips": 3, "positive_clip_inds": [0, 2]}]"""
    )
    assert read_annotations(file, "root") == [
        Record("root/a.mp4", (1,), str(file), 2),
        Record("root/b", (1, 3), str(file), 3, total_frames=61),
        Record("root/b", (2,), str(file), 5, total_frames=5, offset=9),
        Record("root/d", (4,), str(file), 6, parts=(0, 2)),
    ]


@pytest.mark.parametrize(
    "text,line,problem",
    [
        ('{"filename": "a"}', 1, "expected a JSON list"),
        ('[{"filename": "a", "label": 1}\n{}]', 1, "expected ',' or ']'"),
        ('[\n{"filename": "a", "label": 1},\n{"filename": 1,]', 3, "property name"),
        ("[\n[1]]", 2, r"received \[1\], expected a JSON object"),
        ('[\n{"label": 1}]', 2, "expected one of filename, frame_dir, video_dir"),
        ('[\n{"filename": "a"}]', 2, "received label None"),
        ('[\n{"filename": "a", "label": "x"}]', 2, "received label 'x'"),
        ('[\n{"filename": "a", "label": 7}]', 2, "received label 7, expected a class index"),
        ('[\n{"frame_dir": "a", "label": 0, "total_frames": "9"}]', 2, "total_frames '9'"),
        ('[\n{"video_dir": "a", "label": 0, "num_clips": 1}]', 2, "positive_clip_inds None"),
        ('[\n{"filename": "a", "label": {"action": [1]}}]', 2, "TaggedJson"),
        ('[{"filename": "a", "label": 1},', 1, "Expecting value"),
    ],
)
def test_errors_name_the_line(text, line, problem, write):
    with pytest.raises(AnnotationError, match=rf"list.json:{line}: .*{problem}"):
        read_annotations(write(text), classes=5)


def test_lines_of_entries_on_one_line(write):
    assert [line for line, _ in json_entries(write("[{}, {},\n{}, {}\n]"))] == [1, 1, 2, 2]
    assert list(json_entries(write("[]"))) == []


def test_tags_of_categories(write):
    annotation_format = TaggedJson({"action": 3, "scene": 2, "event": 4})
    file = write(
        [
            {"filename": "a.mp4", "label": {"scene": [0, 1], "action": [2], "color": [9]}},
            {"frame_dir": "b", "total_frames": 9, "label": {"event": []}},
        ]
    )
    first, second = read_annotations(
        file, classes=annotation_format.classes, annotation_format=annotation_format
    )
    assert annotation_format.classes == 9
    assert first.labels == (2, 3, 4) and first.annotated == (range(3), range(3, 5))
    assert second.labels == () and second.annotated == (range(5, 9),)
    assert second.total_frames == 9
    assert TaggedJson(HVU_CATEGORIES).classes == 3142


def test_wrong_tags(write):
    annotation_format = TaggedJson({"action": 3})
    with pytest.raises(AnnotationError, match=r":3: received tag 3 of action, expected .*\[0, 3\)"):
        read_annotations(
            write('[\n\n{"filename": "a", "label": {"action": [3]}}]'),
            annotation_format=annotation_format,
        )
    with pytest.raises(AnnotationError, match=r":1: received label \[1\], expected tags"):
        read_annotations(
            write('[{"filename": "a", "label": [1]}]'), annotation_format=annotation_format
        )


def test_csv_with_names(write):
    file = write('split,label,path,frames\nt,"run, fast",a.mp4,7\nt,sit,b c.mp4,9\n', "list.csv")
    names = ("sit", "run, fast")
    annotation_format = CsvTable(names, total_frames="frames")
    assert read_annotations(file, annotation_format=annotation_format) == [
        Record("a.mp4", (1,), str(file), 2, total_frames=7),
        Record("b c.mp4", (0,), str(file), 3, total_frames=9),
    ]


def test_csv_with_indices_and_several_labels(write):
    file = write("path,label\na.mp4,1|3\nb.mp4,2\n", "list.csv")
    records = read_annotations(file, annotation_format=CsvTable(separator="|"))
    assert [record.labels for record in records] == [(1, 3), (2,)]


@pytest.mark.parametrize(
    "text,line,problem",
    [
        ("path,class\na,1\n", 1, "expected one named 'label'"),
        ("path,label\na,sit\nb,stand\n", 3, "received class 'stand', expected one of the 1 names"),
        ("path,label\na\n", 2, "fewer fields"),
        ("", 1, "expected one named"),
    ],
)
def test_csv_errors_name_the_line(text, line, problem, write):
    with pytest.raises(AnnotationError, match=rf"list.csv:{line}: .*{problem}"):
        read_annotations(write(text, "list.csv"), annotation_format=CsvTable(["sit"]))


def test_class_names_and_files_of_a_table(tmp_path):
    file = tmp_path / "list.csv"
    file.write_bytes(b'\xef\xbb\xbfpath,label\r\ncaf\xe9.mp4,b\r\n"a, ""1""\nc.mp4",a\r\n')
    records = read_annotations(file, annotation_format=CsvTable(class_names=np.array(["a", "b"])))
    assert [(record.path, record.labels) for record in records] == [
        ("caf\udce9.mp4", (1,)),
        ('a, "1"\nc.mp4', (0,)),
    ]
    with pytest.raises(ValueError, match=r"class_names with \['a'\] several times"):
        CsvTable(class_names=("a", "b", "a"))
