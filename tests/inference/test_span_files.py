"""Spans as subtitles, timelines and tables."""

import json
import subprocess
import sys

import pytest

from keras_video import data
from keras_video.data import Span, SpanRecord
from keras_video.inference import write_span_file

RECORD = SpanRecord(
    "clips/talk.mp4",
    (Span("wave <b>", 1.0, 3661.5, 0.875), Span("nod", 2.0, 2.0)),
    ("wave <b>", "nod"),
    4000.0,
)


def test_subtitles_have_a_cue_per_span(tmp_path):
    write_span_file(tmp_path / "out.srt", [RECORD])
    assert (tmp_path / "out.srt").read_text() == (
        "1\n00:00:01,000 --> 01:01:01,500\nwave <b> (88 %)\n\n"
        "2\n00:00:02,000 --> 00:00:03,000\nnod\n"
    )
    write_span_file(tmp_path / "out.vtt", [RECORD])
    assert (tmp_path / "out.vtt").read_text() == (
        "WEBVTT\n\n00:00:01.000 --> 01:01:01.500\nwave &lt;b&gt; (88 %)\n\n"
        "00:00:02.000 --> 00:00:03.000\nnod\n"
    )


def test_tables_can_be_read_back(tmp_path):
    other = SpanRecord("b.mp4", (), RECORD.classes, 2.0)
    for name in ("out.csv", "out.json"):
        write_span_file(tmp_path / name, [RECORD, other])
        records = data.read_spans(tmp_path / name, classes=RECORD.classes)
        assert [(record.video, record.spans) for record in records] == [
            (RECORD.video, RECORD.spans),
            ("b.mp4", ()),
        ]


def test_a_timeline_has_a_marker_per_span(tmp_path):
    path = tmp_path / "out.otio"
    write_span_file(path, [RECORD], fps=25)
    (clip,) = json.loads(path.read_text())["tracks"]["children"][0]["children"]
    assert clip["source_range"]["duration"]["value"] == 100_000
    first, second = clip["markers"]
    assert first["marked_range"]["start_time"] == {
        "OTIO_SCHEMA": "RationalTime.1", "rate": 25.0, "value": 25.0}  # fmt: skip
    assert second["name"] == "nod" and second["marked_range"]["duration"]["value"] == 0


def test_opentimelineio_reads_it(tmp_path):
    pytest.importorskip("opentimelineio")
    path = tmp_path / "out.otio"
    write_span_file(path, [RECORD], fps=25)
    code = (
        "import sys, opentimelineio as o; t = o.adapters.read_from_file(sys.argv[1]); "
        "c = list(t.find_clips())[0]; "
        "print(c.name, c.duration().to_seconds(), [m.name for m in c.markers])"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True)
    assert run.stdout.strip() == "talk.mp4 4000.0 ['wave <b>', 'nod']", run.stderr


@pytest.mark.parametrize(
    ("name", "records", "arguments", "message"),
    [
        ("out.xlsx", [RECORD], {}, "received .*out.xlsx, expected an extension of .csv, .json"),
        ("out.srt", [RECORD, RECORD], {}, "received 2 videos, expected one for .srt"),
        ("out.srt", [RECORD], {"fps": 25}, "received fps=25 for .*out.srt, expected it for .otio"),
        ("out.otio", [RECORD], {}, "received fps=None"),
        ("out.otio", [SpanRecord("a", (), ())], {"fps": 25}, "a: received no duration"),
    ],
)
def test_unwritable_values_are_reported(tmp_path, name, records, arguments, message):
    with pytest.raises(ValueError, match=message):
        write_span_file(tmp_path / name, records, **arguments)
    assert not (tmp_path / name).exists()
