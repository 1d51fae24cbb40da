import numpy as np
import pytest

from keras_video import data
from keras_video.inference import WindowScores, predict_windows
from keras_video.inference.even_pace import even_pace
from tests.color_model import color_model
from tests.videos import moving_gradient, write_video

RED, BLUE = np.zeros((2, 32, 48, 3), np.uint8)
RED[..., 0], BLUE[..., 2] = 255, 255


def slow_then_fast(path, seconds=4):
    """Red at 5 frames per second, then blue at 30 frames per second for the same time."""
    times = [6 * number for number in range(5 * seconds)]
    times += [30 * seconds + number for number in range(30 * seconds)]
    images = [RED] * (5 * seconds) + [BLUE] * (30 * seconds)
    return write_video(path, images, rate=30, times=times, g="30")


def test_frames_are_shown_at_their_times(tmp_path):
    pace = even_pace(slow_then_fast(tmp_path / "a.mp4"))
    assert pace.rate == pytest.approx(30) and pace.varies
    assert pace.total_frames == 240
    np.testing.assert_array_equal(pace.shown[:120], np.arange(120) // 6)
    np.testing.assert_array_equal(pace.shown[120:], 20 + np.arange(120))


@pytest.mark.parametrize(("name", "rate"), [("a.mp4", 24), ("a.mkv", 30), ("a.avi", 15)])
def test_a_constant_rate_is_unchanged(tmp_path, name, rate):
    codec = "mpeg4" if name == "a.avi" else "libx264"
    path = write_video(tmp_path / name, moving_gradient(17), codec, rate=rate)
    pace = even_pace(path)
    assert pace.rate == pytest.approx(rate, rel=1e-3) and not pace.varies
    np.testing.assert_array_equal(pace.shown, np.arange(17))


def test_a_dropped_frame_jitter_and_a_single_frame_count_as_constant_rate(tmp_path):
    times = [0, 99, 203, 298, 402, 500]
    path = write_video(tmp_path / "a.mp4", moving_gradient(6), rate=1000, times=times)
    assert even_pace(path).shown.tolist() == [0, 1, 2, 3, 4, 5]
    path = write_video(tmp_path / "b.mp4", moving_gradient(1), rate=10)
    assert even_pace(path).shown.tolist() == [0]


def test_rates_above_display_rates_are_reduced(tmp_path):
    times = [0, 1000, 2000, *range(3000, 3500, 2)]
    path = write_video(tmp_path / "a.mp4", moving_gradient(253), rate=1000, times=times)
    pace = even_pace(path)
    assert pace.rate == pytest.approx(max(60, 252 / 3.498), rel=1e-3)
    assert pace.shown[-1] >= 252 - 0.5 * 500 / pace.rate - 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_windows_at_a_variable_frame_rate(tmp_path, name):
    windows = predict_windows(color_model(), slow_then_fast(tmp_path / name), window=1, stride=0.5)
    np.testing.assert_allclose(windows.ends - windows.starts, 1, rtol=1e-3)
    np.testing.assert_allclose(np.diff(windows.starts)[:-1], 0.5, rtol=1e-3)
    assert windows.ends[-1] == pytest.approx(8, abs=0.1)
    blue = windows.scores.argmax(1) == 1
    assert 3.0 <= windows.starts[blue.argmax()] <= 4.0
    np.testing.assert_allclose(windows.mean()[:2], 0.5, atol=0.1)


def test_drawn_videos_keep_the_timestamps(tmp_path):
    pytest.importorskip("PIL")
    from keras_video.inference import draw_scores

    path = slow_then_fast(tmp_path / "a.mp4", 2)
    scores = np.eye(2, dtype="float32")
    windows = WindowScores(np.array([0.0, 2.0]), np.array([2.0, 4.0]), scores)
    for name in ("b.mp4", "b.avi"):
        draw_scores(tmp_path / name, path, windows, ["red", "blue"], verbose=0)
        video = data.open_video(tmp_path / name)
        frames = video.read(range(video.total_frames))[:, 10, 10]
        turn = int((frames[:, 2] > 128).argmax())
        assert video.times[turn] == pytest.approx(2.0, abs=0.05)
        assert video.end_time == pytest.approx(4.0, abs=0.15)
        if name == "b.mp4":
            np.testing.assert_allclose(video.times, data.open_video(path).times, atol=1e-3)


def test_a_writer_takes_times_for_all_frames_or_none(tmp_path):
    image = RED
    with (
        pytest.raises(ValueError, match="seconds=0.5"),
        data.VideoWriter(tmp_path / "a.mp4", 10) as writer,
    ):
        writer.write(image, 0.5)
        writer.write(image, 0.5)
    with (
        pytest.raises(ValueError, match="seconds=None"),
        data.VideoWriter(tmp_path / "a.mp4", 10) as writer,
    ):
        writer.write(image, 0.5)
        writer.write(image)
