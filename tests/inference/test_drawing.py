import builtins

import av
import numpy as np
import pytest

from keras_video import data
from keras_video.inference import WindowScores, draw_scores
from keras_video.inference import drawing as module
from keras_video.inference.drawing import ScoreDrawing, score_bars
from tests.audio_files import tone, write_audiovisual
from tests.videos import moving_gradient, write_video

pytest.importorskip("PIL")

NAMES = ["red circle", "green square", "a rather long name of a class", "never"]
SCORES = np.array([[0.9, 0.1, 0, 0], [0.5, 0.5, 0, 0], [0.1, 0.1, 0.8, 0]], "float32")
WINDOWS = WindowScores(np.array([0.0, 1, 2]), np.array([1.0, 2, 3]), SCORES)
FRAME = moving_gradient(1, 120, 400)[0]


def bar_pixels(panel, color):
    return int((np.abs(panel.astype(int) - color) < 3).all(-1).sum())


def test_the_frame_is_above_its_panel():
    drawn = ScoreDrawing(WINDOWS, NAMES)(FRAME, 0.2)
    assert drawn.shape[1] == 400
    assert drawn.shape[0] % 2 == 0
    np.testing.assert_array_equal(drawn[:120], FRAME)
    assert np.ptp(drawn[120:]) > 100


def test_bar_lengths_are_proportional_to_scores():
    def pixels(score):
        panel = np.asarray(score_bars([("a", score)], 500))
        return bar_pixels(panel, module._COLORS[0])

    assert pixels(0) == 0
    assert pixels(1.0) == pytest.approx(2 * pixels(0.5), rel=0.02)


def test_bars_change_over_time_and_the_cursor_moves():
    drawing = ScoreDrawing(WINDOWS, NAMES, top=2)
    early, late = (drawing(FRAME, seconds)[120:] for seconds in (0.1, 2.9))
    first = module._COLORS[0]
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


def test_long_names_are_shown_in_full():
    name = "a class whose name is much longer than fits beside its bar: " + "x" * 90
    font = module._font(module._text_size(360))
    lines = module._wrapped(name, 150, font)
    assert "".join(lines).replace(" ", "") == name.replace(" ", "")
    assert max(map(font.getlength, lines)) <= 150
    assert module._wrapped("short name", 150, font) == ["short name"]
    assert module._wrapped("", 150, font) == [""]
    short = score_bars([("a", 0.5)], 360)
    long = score_bars([(name, 0.5)], 360)
    assert long.height >= short.height + (len(lines) - 1) * 12
    # Nothing is drawn over the bar, and the last line is within the frame.
    left = np.asarray(long)[:, : round(0.46 * 360) - 6]
    assert (np.abs(left[-30:].astype(int) - module._PAPER) > 60).any()


@pytest.mark.parametrize(
    ("greatest", "full"), [(0.9, 1), (0.5, 0.5), (0.31, 0.5), (0.07, 0.1), (0.004, 0.01), (0, 0.01)]
)
def test_small_scores_have_readable_bars(greatest, full):
    assert module.full_bar(greatest) == full
    scores = np.array([[greatest, greatest / 2, 0, 0]], "float32")
    windows = WindowScores(np.array([0.0]), np.array([1.0]), scores)
    drawn = ScoreDrawing(windows, NAMES, top=2)(FRAME, 0.5)[120:]
    panel = drawn[: len(drawn) // 2]
    first, second = (bar_pixels(panel, module._COLORS[number]) for number in (0, 1))
    if greatest:
        assert first == pytest.approx(2 * second, rel=0.1)
        assert first > 0.3 * bar_pixels(
            np.asarray(score_bars([("a", 1.0)], 400)), module._COLORS[0]
        )


@pytest.mark.parametrize(
    ("score", "text"),
    [(0, "0 %"), (0.0004, "0.04 %"), (0.0234, "2.3 %"), (0.5, "50 %"), (0.0999, "10 %")],
)
def test_percentages_have_two_digits(score, text):
    assert module._percent(score) == text


def packets_of(path):
    """The audio packets of a file: `(codec, [(seconds, size)])`."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        packets = [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream)
                   if p.size]  # fmt: skip
        return stream.codec_context.name, packets


def draw(path, target, frames=30, rate=10):
    seconds = frames / rate
    windows = WindowScores(np.array([0.0]), np.array([seconds]), SCORES[:1])
    draw_scores(target, path, windows, NAMES, verbose=0)


def test_the_audio_is_copied_unchanged(tmp_path):
    images = moving_gradient(30, 72, 96)
    noise = np.random.default_rng(0).normal(size=48000).astype("f4") / 10
    runs = [(0.0, noise)]  # all packets differ
    path = write_audiovisual(tmp_path / "clip.mp4", images, runs, times=np.arange(30) / 10)
    draw(path, tmp_path / "out.mp4")
    codec, packets = packets_of(path)
    kept_codec, kept = packets_of(tmp_path / "out.mp4")
    assert kept_codec == codec
    before = {content: seconds for seconds, content in packets if seconds >= 0}
    assert len(kept) >= len(before) - 1
    for seconds, content in kept:
        assert seconds == pytest.approx(before[content], abs=0.002)


@pytest.mark.parametrize(("codec", "ending"), [("pcm_s16le", ".mkv"), ("mp3", ".mov")])
@pytest.mark.parametrize("target", [".mp4", ".mkv", ".avi"])
def test_audio_stays_in_sync_in_other_containers(codec, ending, target, tmp_path):
    """A tone only in the second second of a video that starts at half a second."""
    images = moving_gradient(30, 72, 96)
    times = 0.5 + np.arange(30) / 10
    runs = [(0.0, np.concatenate([np.zeros(24000), tone(1.0), np.zeros(8000)]).astype("f4"))]
    path = write_audiovisual(tmp_path / f"clip{ending}", images, runs, codec=codec, times=times)
    draw(path, tmp_path / f"out{target}")
    first, last = audio_range(tmp_path / f"out{target}")
    own_first, own_last = audio_range(path)
    # AVI has no timestamps: readers are off by a frame or two.
    exact = 0.25 if target == ".avi" else 0.06
    assert own_first == pytest.approx(1.0, abs=0.06)
    assert first == pytest.approx(own_first, abs=exact)
    assert last == pytest.approx(own_last, abs=exact)


def audio_range(path):
    """The first and last second of the video with loud audio."""
    loud = np.abs(data.audio_of_video(path)[: 2 * 24000]) > 0.1
    return np.flatnonzero(loud)[[0, -1]] / 16000


def test_a_video_without_audio_stays_without_audio(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", moving_gradient(9), rate=3)
    draw(clip, tmp_path / "out.mp4", 9, 3)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert not container.streams.audio


def test_a_name_per_class_is_expected():
    with pytest.raises(ValueError, match="3 class names: expected 4"):
        ScoreDrawing(WINDOWS, NAMES[:3])


def test_the_error_names_the_package_to_install(monkeypatch):
    real = builtins.__import__

    def without_pillow(name, *arguments):
        if name.startswith("PIL"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *arguments)

    module.pillow.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without_pillow)
    with pytest.raises(ModuleNotFoundError, match=r"pip install keras-video\[plots\]"):
        ScoreDrawing(WINDOWS, NAMES)
