import builtins

import numpy as np
import pytest

from keras_video import data
from keras_video.inference import WindowScores, draw_scores
from keras_video.inference import drawing as module
from keras_video.inference.drawing import ScoreDrawing, score_bars
from tests.videos import moving_gradient, write_video

pytest.importorskip("PIL")

NAMES = ["red circle", "green square", "a rather long name of a class", "never"]
SCORES = np.array([[0.9, 0.1, 0, 0], [0.5, 0.5, 0, 0], [0.1, 0.1, 0.8, 0]], "float32")
WINDOWS = WindowScores(np.array([0.0, 1, 2]), np.array([1.0, 2, 3]), SCORES)
FRAME = moving_gradient(1, 120, 400)[0]


def bar_pixels(panel, colour):
    return int((np.abs(panel.astype(int) - colour) < 3).all(-1).sum())


def test_the_frame_stands_above_its_panel():
    drawn = ScoreDrawing(WINDOWS, NAMES)(FRAME, 0.2)
    assert drawn.shape[1] == 400
    assert drawn.shape[0] % 2 == 0
    np.testing.assert_array_equal(drawn[:120], FRAME)
    assert np.ptp(drawn[120:]) > 100


def test_bars_are_as_long_as_scores_are_high():
    def pixels(score):
        panel = np.asarray(score_bars([("a", score)], 500))
        return bar_pixels(panel, module._COLOURS[0])

    assert pixels(0) == 0
    assert pixels(1.0) == pytest.approx(2 * pixels(0.5), rel=0.02)


def test_bars_change_with_the_time_and_the_cursor_moves():
    drawing = ScoreDrawing(WINDOWS, NAMES, top=2)
    early, late = (drawing(FRAME, seconds)[120:] for seconds in (0.1, 2.9))
    first = module._COLOURS[0]
    assert bar_pixels(early, first) > 3 * bar_pixels(late[: len(late) // 2], first)
    columns = [
        np.abs(panel[-20:].astype(int) - module._INK).sum((0, 2)).argmin()
        for panel in (early, late)
    ]
    assert columns[0] < 60 < 340 < columns[1]


def test_small_frames_are_enlarged():
    drawn = ScoreDrawing(WINDOWS, NAMES)(FRAME[:, :96], 0)
    assert drawn.shape[1] == 360
    assert drawn.shape[0] > 450


def test_a_video_is_written_with_every_frame(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", moving_gradient(9), rate=3)
    draw_scores(tmp_path / "out.mp4", clip, WINDOWS, NAMES, verbose=0)
    assert data.open_video(tmp_path / "out.mp4").total_frames == 9
    assert data.frame_rate(tmp_path / "out.mp4") == pytest.approx(3, rel=0.01)
    with pytest.raises(ValueError, match="is the video itself"):
        draw_scores(clip, clip, WINDOWS, NAMES)


def test_a_name_per_class_is_expected():
    with pytest.raises(ValueError, match="3 class names: expected 4"):
        ScoreDrawing(WINDOWS, NAMES[:3])


def test_what_to_install_is_said(monkeypatch):
    real = builtins.__import__

    def without_pillow(name, *arguments):
        if name.startswith("PIL"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    module.pillow.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(ModuleNotFoundError, match=r"pip install keras-video\[plots\]"):
        ScoreDrawing(WINDOWS, NAMES)
