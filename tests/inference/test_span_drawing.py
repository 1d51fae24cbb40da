"""Drawn timelines and chapters."""

import av
import numpy as np
import pytest

from keras_video import data
from keras_video.data import Span, SpanRecord
from keras_video.inference import draw_span_timeline, draw_spans
from keras_video.inference.span_drawing import SpanDrawing, _color, timeline_image
from tests.videos import moving_gradient, write_video

pytest.importorskip("PIL")

SPANS = (Span("wave", 0.0, 1.0, 0.9), Span("nod", 0.5, 2.0, 0.8))
RECORD = SpanRecord("x.mp4", SPANS, ("wave", "nod"), 2.0)


def columns_of(picture, color):
    """The first and last column with this color."""
    columns = np.flatnonzero((np.abs(np.asarray(picture).astype(int) - color) < 3).all(-1).any(0))
    return int(columns[0]), int(columns[-1])


def test_spans_are_drawn_at_their_times():
    picture = timeline_image(RECORD, 2.0, 600)
    wave, nod = (columns_of(picture, _color(number)) for number in (0, 1))
    length = nod[1] - wave[0]
    assert wave[1] - wave[0] == pytest.approx(length / 2, abs=3)
    assert nod[0] - wave[0] == pytest.approx(length / 4, abs=3)


def test_the_image_of_a_timeline_is_written(tmp_path):
    from PIL import Image

    draw_span_timeline(tmp_path / "a.png", RECORD, width=400)
    draw_span_timeline(tmp_path / "b.png", RECORD, [Span("nod", 0, 1)], width=400)
    first, second = (np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png"))
    assert first.shape == second.shape and first.shape[1] == 400
    assert np.abs(first.astype(int) - second).max() > 100
    with pytest.raises(ValueError, match="received duration=None"):
        draw_span_timeline(tmp_path / "c.png", SpanRecord("x", SPANS, ("wave", "nod")))
    with pytest.raises(ValueError, match="received a span of 'nod', expected one of"):
        draw_span_timeline(tmp_path / "c.png", SpanRecord("x", SPANS, ("wave",), 2.0))


def test_a_frame_names_its_current_spans():
    drawing = SpanDrawing(SPANS, 2.0)
    frame = moving_gradient(1, 100, 400)[0]
    first, both, last = (drawing(frame, seconds)[100:] for seconds in (0.1, 0.7, 1.9))
    texts = [panel[: len(panel) // 4] for panel in (first, both, last)]
    for text, present in zip(texts, ([True, False], [True, True], [False, True]), strict=True):
        for number, shown in enumerate(present):
            near = (np.abs(text.astype(int) - _color(number)) < 40).all(-1)
            assert near.any() == shown
    assert drawing(frame[:, :96], 0.1).shape[1] == 360


def test_a_video_is_written_with_its_chapters(tmp_path):
    path = write_video(tmp_path / "in.mp4", moving_gradient(20, 72, 400), rate=10)
    target = tmp_path / "out.mp4"
    draw_spans(target, path, SPANS, verbose=0)
    video = data.open_video(target)
    assert video.total_frames == 20
    frame = video.read([[5]])[0]
    assert frame.shape[1] == 400 and frame.shape[0] > 120
    with av.open(str(target)) as container:
        assert container.streams.video[0].average_rate == 10
    with pytest.raises(ValueError, match="is the video itself"):
        draw_spans(path, path, SPANS)
    with pytest.raises(ValueError, match="span of 'nod'"):
        draw_spans(target, path, SPANS, ["wave"])
