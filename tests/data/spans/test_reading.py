"""Span files of every format, valid and damaged."""

import functools
import json
import random

import pytest

from keras_video import data
from keras_video.data.spans.elan import elan_spans
from keras_video.data.spans.osl import osl_spans
from keras_video.data.spans.reading import SPAN_FORMATS, detect_format
from keras_video.data.spans.records import Span
from tests.data.spans import examples
from tests.videos import moving_gradient, write_video

BY_FRAMES = ("cvat", "label_studio")


@pytest.fixture
def files(tmp_path):
    return examples.write(tmp_path)


def read(files, name, **arguments):
    if name in BY_FRAMES:
        arguments.setdefault("fps", examples.FPS)
    return data.read_spans(files[name], annotation_format=name, **arguments)


@pytest.mark.parametrize("name", SPAN_FORMATS)
def test_every_format_yields_the_same_spans(files, name):
    (record,) = read(files, name)
    assert record.video.removesuffix(".mp4") == "talk"
    spans = [(span.label, round(span.start, 9), round(span.end, 9)) for span in record.spans]
    assert spans == examples.SPANS
    assert sorted(record.classes) == ["nod", "wave"]
    assert all(str(files[name]) in span.source for span in record.spans)
    assert record.source.rpartition(":")[2].isdigit()


@pytest.mark.parametrize("name", SPAN_FORMATS)
def test_a_format_is_identified_by_the_contents(files, name):
    assert detect_format(files[name]) == name
    arguments = {"fps": 10} if name in BY_FRAMES else {}
    assert data.read_spans(files[name], **arguments) == read(files, name)


def test_a_single_thumos_file_is_read(files):
    path = files["thumos"] / "wave_val.txt"
    assert detect_format(path) == "thumos"
    (record,) = data.read_spans(path)
    assert record.spans == (Span("wave", 1.0, 2.5),) and record.subset == "val"


def test_times_in_frames_use_the_frame_rate_of_the_video(files, tmp_path):
    with pytest.raises(data.AnnotationError, match=r"annotations.xml:\d+: .*expected fps="):
        data.read_spans(files["cvat"], tmp_path)
    write_video(tmp_path / "talk.mp4", moving_gradient(50), rate=10)
    for name in BY_FRAMES:
        (record,) = data.read_spans(files[name], tmp_path)
        assert record.video == str(tmp_path / "talk.mp4")
        assert [span.label for span in record.spans] == ["wave", "nod"]
        assert record.spans[0].start == pytest.approx(1.0)


def test_a_name_without_suffix_is_the_existing_file(files, tmp_path):
    (tmp_path / "v_talk.mkv").touch()
    (record,) = data.read_spans(files["activitynet"], tmp_path)
    assert record.video == str(tmp_path / "v_talk.mkv")
    assert record.duration == 30 and record.subset == "training"


@pytest.mark.parametrize("name", sorted(set(SPAN_FORMATS) - set(BY_FRAMES)))
def test_a_frame_rate_without_effect_is_rejected(files, name):
    with pytest.raises(ValueError, match="received fps=25 .*expected None"):
        data.read_spans(files[name], fps=25)


def test_unknown_formats_subsets_and_classes_are_rejected(files):
    with pytest.raises(ValueError, match="annotation_format='avi', expected one of csv"):
        data.read_spans(files["csv"], annotation_format="avi")
    with pytest.raises(ValueError, match=r"subset='test', expected one of \['training'\]"):
        data.read_spans(files["activitynet"], subset="test")
    with pytest.raises(data.AnnotationError, match=r"spans.csv:2: received label 'nod'"):
        data.read_spans(files["csv"], classes=["wave"])
    (record,) = data.read_spans(files["csv"], classes=["wave", "nod", "sit"])
    assert record.classes == ("wave", "nod", "sit")


def test_a_video_without_spans_is_kept(tmp_path):
    path = tmp_path / "spans.csv"
    path.write_text("video,label,start,end,duration\na.mp4,x,1,1,9\nb.mp4,,,,7.5\n")
    first, second = data.read_spans(path)
    assert first.spans == (Span("x", 1, 1),) and second.spans == () and second.duration == 7.5
    assert second.gaps() == [(0, 7.5)]


def test_gaps_are_the_times_without_spans(files):
    (record,) = read(files, "csv")
    assert record.gaps(6.0) == [(0, 1), (4, 6)]
    assert record.gaps(3.0) == [(0, 1)]
    with pytest.raises(ValueError, match="received no duration"):
        record.gaps()


def test_ambiguous_spans_are_neither_class_nor_background(files):
    (files["thumos"] / "Ambiguous_val.txt").write_text("talk 5 6\n")
    (record,) = read(files, "thumos")
    assert record.classes == ("nod", "wave") and record.ignored[0].start == 5
    assert record.gaps(8.0) == [(0, 1), (4, 5), (6, 8)]


def test_skipped_frames_count(tmp_path):
    text = examples.CVAT.replace("<frame_filter></", "<frame_filter>step=5</")
    path = tmp_path / "annotations.xml"
    path.write_text(text)
    (record,) = data.read_spans(path, fps=10)
    # The last polygon is on frame 39, and the next frame of the task would be 44.
    assert [span.end for span in record.spans] == [2.5, 4.4]


def test_an_object_that_reappears_has_two_spans(tmp_path):
    again = '<box frame="40" outside="0"/></track>'
    path = tmp_path / "annotations.xml"
    path.write_text(examples.CVAT.replace("</track>", again, 1))
    (record,) = data.read_spans(path, fps=10)
    times = [(span.start, span.end) for span in record.spans if span.label == "wave"]
    assert times == [(1.0, 2.5), (4.0, 4.1)]


def test_tags_of_consecutive_frames_are_a_span(tmp_path):
    head = examples.CVAT[: examples.CVAT.index("  <track")]
    tags = "".join(f'<tag label="wave" frame="{frame}"/>' for frame in (3, 4, 5, 9))
    images = '<image id="5" name="x"><tag label="nod"/></image>'
    path = tmp_path / "annotations.xml"
    path.write_text(f"{head}{tags}{images}</annotations>")
    (record,) = data.read_spans(path, fps=10)
    assert [(span.label, span.start, span.end) for span in record.spans] == [
        ("wave", 0.3, 0.6),
        ("nod", 0.5, 0.6),
        ("wave", 0.9, 1.0),
    ]


def test_tasks_of_a_project_are_distinguished(tmp_path):
    task = "<task><id>{0}</id><name>n</name><source>v{0}.mp4</source></task>"
    tracks = "".join(
        f'<track label="x" task_id="{number}"><box frame="{number}" outside="0"/></track>'
        for number in (1, 2)
    )
    tasks = task.format(1) + task.format(2)
    path = tmp_path / "annotations.xml"
    path.write_text(
        f"<annotations><meta><project><tasks>{tasks}</tasks></project></meta>{tracks}</annotations>"
    )
    first, second = data.read_spans(path, fps=10)
    assert (first.video, second.video) == ("v1.mp4", "v2.mp4")
    assert first.spans[0].start == 0.1 and second.spans[0].start == 0.2


def test_annotations_that_refer_to_others_have_their_times(tmp_path):
    tier = (
        '<TIER TIER_ID="hand" PARENT_REF="gesture"><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a3" '
        'ANNOTATION_REF="a1"><ANNOTATION_VALUE>left</ANNOTATION_VALUE></REF_ANNOTATION>'
        "</ANNOTATION></TIER></ANNOTATION_DOCUMENT>"
    )
    path = tmp_path / "talk.eaf"
    path.write_text(examples.ELAN.replace("</ANNOTATION_DOCUMENT>", tier))
    (record,) = data.read_spans(path)
    assert Span("left", 1.0, 2.5) in record.spans
    reader = functools.partial(elan_spans, tier="hand")
    (record,) = data.read_spans(path, annotation_format=reader)
    assert record.spans == (Span("left", 1.0, 2.5),)
    with pytest.raises(data.AnnotationError, match="received tier 'foot', expected one of"):
        data.read_spans(path, annotation_format=functools.partial(elan_spans, tier="foot"))


def test_unset_times_are_spread_evenly(tmp_path):
    path = tmp_path / "talk.eaf"
    path.write_text(examples.ELAN.replace('"ts2" TIME_VALUE="2000"', '"ts2"'))
    (record,) = data.read_spans(path)
    assert Span("nod", 1.75, 4.0) in record.spans


def test_points_and_matches_of_soccernet(tmp_path):
    path = tmp_path / "Labels-v2.json"
    events = [
        {"gameTime": "1 - 00:31", "label": "Foul", "position": "31256", "team": "home"},
        {"gameTime": "2 - 01:00", "label": "Goal", "position": "60000", "team": "away"},
    ]
    path.write_text(json.dumps({"UrlLocal": "league/match/", "annotations": events}))
    first, second = data.read_spans(path)
    assert first.video == "league/match/1_720p.mkv" and first.spans == (
        Span("Foul", 31.256, 31.256),
    )
    assert second.video == "league/match/2_720p.mkv"
    reader = functools.partial(osl_spans, half_name="{}_224p.mkv")
    assert data.read_spans(path, annotation_format=reader)[0].video.endswith("1_224p.mkv")
    events = [{"head": "action", "label": "wave", "position_ms": 1500}]
    sample = {"inputs": [{"path": "talk.mp4"}], "events": events}
    path.write_text(json.dumps({"data": [sample]}))
    assert data.read_spans(path)[0].spans == (Span("wave", 1.5, 1.5),)


# Format, original text, its replacement, and the expected message.
DAMAGE = [
    ("csv", "nod,2,4", "nod,4,2", r"spans.csv:2: received a span from 4 to 2 s"),
    ("csv", "nod,2,4", "nod,2", r"spans.csv:2: received 3 fields, expected 4"),
    ("csv", "nod,2,4", "nod,two,4", r"spans.csv:2: received time 'two', expected seconds"),
    ("csv", "nod,2,4", "nod,nan,4", r"spans.csv:2: received start nan"),
    ("csv", "nod,2,4", ",2,4", r"spans.csv:2: received label ''"),
    ("csv", "label,start", "label,begin", r"spans.csv:1: received the columns video,label,begin"),
    ("csv", "nod,2,4", '"nod,2,4', r"spans.csv:\d: expected CSV"),
    ("activitynet", '"segment"', '"segments"', r"activity.json:\d+: received segment None"),
    ("activitynet", "2.5", "NaN", r"activity.json: received NaN"),
    ("activitynet", "2.5", "0.5", r"activity.json:18: received a span from 1 to 0.5 s"),
    ("activitynet", "2.5", '"2.5"', r"activity.json:18: received end '2.5'"),
    ("activitynet", "30.0", "0.5", r"activity.json:18: received a span that begins at 1 s.*0.5 s"),
    ("activitynet", "30.0", "true", r"activity.json:\d+: received duration True"),
    ("activitynet", '"wave"', "3", r"activity.json:18: received label 3"),
    ("activitynet", '"url"', '"subset"', r"activity.json:\d+: received the field 'subset' twice"),
    ("activitynet", '"database"', '"data_base"', r"activity.json:1: received the fields"),
    ("cvat", 'frame="10"', 'frame="ten"', r"annotations.xml:\d+: received box frame 'ten'"),
    ("cvat", ' frame="10"', "", r"annotations.xml:\d+: received <box> without 'frame'"),
    ("cvat", ' label="wave"', "", r"annotations.xml:\d+: received <track> without 'label'"),
    ("cvat", 'label="wave"', 'label="jump"', r"annotations.xml:\d+: received label 'jump', exp"),
    ("cvat", "</track>", "", r"annotations.xml:\d+: expected XML: mismatched tag"),
    ("cvat", "<task>", "<tusk>", r"annotations.xml:\d+: "),
    (
        "label_studio",
        '"start": 11',
        '"start": 0',
        r"project-1.json:\d+: received the range \[0, 25",
    ),
    (
        "label_studio",
        '"start": 11',
        '"start": "a"',
        r"project-1.json:\d+: received the range \['a'",
    ),
    ("label_studio", '"annotations"', '"label"', r"project-1.json:2: .*not as JSON-MIN"),
    ("label_studio", '"framesCount": 300', '"framesCount": 0', r"project-1.json:\d+: received fra"),
    ("label_studio", '"data"', '"date"', r"project-1.json:2: received data None"),
    ("label_studio", '"nod"', "null", r"project-1.json:\d+: received label None"),
    ("osl", '"inputs"', '"input"', r"osl.json:\d+: received inputs None, expected a list"),
    ("osl", "1000", '"soon"', r"osl.json:\d+: received the time 'soon'"),
    ("osl", '"start_ms": 1000,', "", r"osl.json:\d+: received the time None"),
    ("osl", '"label": "wave",', "", r"osl.json:\d+: received label None"),
    ("osl", '"type": "video"', '"type": "frames_npy"', r"osl.json:\d+: received a sample without"),
    ("via", '"vid": "1"', '"vid": "9"', r"via_project.json:\d+: received vid '9'"),
    ("via", '"1": "w"', '"2": "w"', r"via_project.json:\d+: received attribute '2'"),
    ("via", '"1": "w"', "", r"via_project.json:\d+: received a span without attributes"),
    ("via", '"fname"', '"name"', r"via_project.json:\d+: received fname None"),
    ("via", '"z"', '"y"', r"via_project.json:\d+: received z None"),
    ("elan", 'REF2="ts3"', 'REF2="ts9"', r"talk.eaf:\d+: received no <TIME_SLOT> 'ts9'"),
    ("elan", 'VALUE="1000"', 'VALUE="soon"', r"talk.eaf:\d+: received TIME_SLOT TIME_VALUE 'soon'"),
    ("elan", ' TIME_VALUE="1000"', "", r"talk.eaf:\d+: received a <TIME_SLOT> without"),
    ("elan", "MEDIA_DESCRIPTOR", "MEDIA", r"talk.eaf:\d+: received no <MEDIA_DESCRIPTOR>"),
    ("elan", 'TIME_UNITS="milliseconds"', 'TIME_UNITS="frames"', r"talk.eaf:\d+: .*TIME_UNITS"),
    ("elan", "</TIER>", "", r"talk.eaf:\d+: expected XML: mismatched tag"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), DAMAGE)
def test_damage_is_reported_with_its_line(files, name, old, new, message):
    text = files[name].read_text()
    everywhere = name in ("elan",) and old == "MEDIA_DESCRIPTOR"
    changed = text.replace(old, new, -1 if everywhere else 1)
    if name == "via" and new == "":
        changed = text.replace('"1": "w"', "", 1)
    assert changed != text
    files[name].write_text(changed)
    with pytest.raises(data.AnnotationError, match=message):
        read(files, name)


@pytest.mark.parametrize("name", sorted(set(SPAN_FORMATS) - {"thumos"}))
@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.9])
def test_truncated_files(files, name, fraction):
    text = files[name].read_text().rstrip()
    files[name].write_text(text[: int(fraction * len(text)) - (name == "csv" and fraction > 0.5)])
    if name == "csv" and fraction > 0.5:
        files[name].write_text(text[:-6])
    with pytest.raises(data.AnnotationError, match=files[name].name):
        read(files, name)


@pytest.mark.parametrize(
    ("text", "message"),
    [("talk 1 x\n", r"wave_val.txt:1: received 'talk 1 x'"), ("talk 2\n", r"wave_val.txt:1: "),
     ("\ntalk 3 1\n", r"wave_val.txt:2: received a span from 3 to 1 s")],
)  # fmt: skip
def test_damaged_lines_of_thumos(files, text, message):
    (files["thumos"] / "wave_val.txt").write_text(text)
    with pytest.raises(data.AnnotationError, match=message):
        read(files, "thumos")


@pytest.mark.parametrize("name", ["cvat", "elan"])
def test_document_types_and_entities_are_rejected(files, name):
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "x"}">' for n in range(10))
    for doctype in (f"<!DOCTYPE bomb [{lines}]>", '<!DOCTYPE x SYSTEM "file:///etc/passwd">'):
        head, _, rest = files[name].read_text().partition("\n")
        path = files[name].with_name("hostile.xml")
        path.write_text(f"{head}\n{doctype}\n{rest}")
        for call in (data.read_spans, detect_format):
            with pytest.raises(data.AnnotationError, match=r"hostile.xml:2: received <!DOCTYPE"):
                call(path)


def test_depth_is_limited(tmp_path):
    path = tmp_path / "deep.xml"
    path.write_text("<a>" * 100_000)
    with pytest.raises(data.AnnotationError, match="deep.xml:1: .* nested too deeply"):
        data.read_spans(path)
    path.write_text("[" * 100_000)
    with pytest.raises(data.AnnotationError, match="deep.xml: .* nested too deeply"):
        data.read_spans(path)
    path.write_text('{"results": {"a": [{"segment": [1, 1' + "0" * 400 + '], "label": "x"}]}}')
    with pytest.raises(data.AnnotationError, match="deep.xml:1: received end 10000"):
        data.read_spans(path)


def test_several_annotations_of_a_task_need_a_ground_truth(files):
    tasks = json.loads(files["label_studio"].read_text())
    first = tasks[0]["annotations"][0]
    cancelled, other = {**first, "was_cancelled": True}, {**first, "result": []}
    tasks[0]["annotations"] = [first, cancelled]
    files["label_studio"].write_text(json.dumps(tasks))
    assert len(read(files, "label_studio")[0].spans) == 2
    tasks[0]["annotations"] = [first, other]
    files["label_studio"].write_text(json.dumps(tasks))
    with pytest.raises(data.AnnotationError, match=r"project-1.json:1: .*2 annotations of which 0"):
        read(files, "label_studio")
    tasks[0]["annotations"] = [first, {**other, "ground_truth": True}]
    files["label_studio"].write_text(json.dumps(tasks))
    assert read(files, "label_studio")[0].spans == ()


def test_files_of_unknown_format(tmp_path):
    path = tmp_path / "notes.txt"
    for text in ("clip.mp4 0\n", "{}", "<svg/>", "video;label;start;end\n"):
        path.write_text(text)
        with pytest.raises(data.AnnotationError, match=r"notes.txt:1: received"):
            data.read_spans(path)
    with pytest.raises(FileNotFoundError, match="lost.csv"):
        data.read_spans(tmp_path / "lost.csv")


@pytest.mark.parametrize("name", ["csv", "activitynet", "osl", "label_studio"])
def test_written_files_round_trip(files, tmp_path, name):
    records = read(files, "csv")
    path = tmp_path / ("out.csv" if name == "csv" else "out.json")
    arguments = {"fps": 10} if name == "label_studio" else {}
    data.write_spans(path, records, annotation_format=name, **arguments)
    if name == "label_studio":
        # Predictions become annotations once a user accepts them.
        (task,) = json.loads(path.read_text())
        task["annotations"] = task.pop("predictions")
        path.write_text(json.dumps([task]))
    (record,) = data.read_spans(path, **arguments)
    assert record.spans == records[0].spans and record.video == records[0].video


def test_scores_durations_and_empty_videos_are_written(tmp_path):
    records = [
        data.SpanRecord("a.mp4", (Span("x", 0.25, 1.5, 0.75),), ("x",), 9.0),
        data.SpanRecord("b.mp4", (), ("x",), 3.0),
    ]
    for file in ("out.csv", "out.json"):
        data.write_spans(tmp_path / file, records)
        assert data.read_spans(tmp_path / file) == records
    with pytest.raises(ValueError, match="annotation_format='srt'"):
        data.write_spans(tmp_path / "out", records, annotation_format="srt")
    with pytest.raises(ValueError, match="received fps=None for annotation_format='label_studio'"):
        data.write_spans(tmp_path / "out", records, annotation_format="label_studio")


_PIECES = (b"null", b"{}", b"[]", b"-1", b"1e999", b"NaN", b'""', b"9" * 5000, b"<x>", b"&a;")


@pytest.mark.parametrize("name", SPAN_FORMATS)
def test_random_byte_changes_are_read_or_reported(files, name):
    path = files[name] / "wave_val.txt" if name == "thumos" else files[name]
    whole, rng, errors = path.read_bytes(), random.Random(name), 0
    for _ in range(40):
        text, place = bytearray(whole), rng.randrange(len(whole))
        change = rng.randrange(3)
        if change == 0:
            text[place] = rng.randrange(256)
        elif change == 1:
            del text[place : place + rng.randint(1, 30)]
        else:
            text[place:place] = rng.choice(_PIECES)
        path.write_bytes(bytes(text))
        try:
            records = data.read_spans(path, annotation_format=name,
                                      fps=10 if name in BY_FRAMES else None)  # fmt: skip
        except data.AnnotationError as error:
            assert path.name in str(error)
            errors += 1
        else:
            assert all(0 <= span.start <= span.end for record in records for span in record.spans)
    assert errors > 5
