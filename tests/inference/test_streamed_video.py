"""Video files processed frame by frame: the scores equal those of a whole clip."""

import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.applications import TSM, TSN, MoViNet
from keras_video.data.rows.presets import processing_of
from keras_video.inference import stream_video
from keras_video.inference.even_pace import EvenPace, even_pace
from keras_video.inference.single_view import single_view
from keras_video.inference.streamed_video import shown_numbers, stream_interval, stream_rate
from tests.videos import moving_gradient, write_video

ROW = zoo.row("movinet_a0_stream_8x2x1_moving_shapes")
RATE = 10
LENGTH = 47


def ready(model, row=ROW, scale=0.03):
    """A model whose scores differ between clips, with the preprocessing of an example row."""
    keras.utils.set_random_seed(0)
    kernel = model.get_layer("fc_cls").kernel
    kernel.assign(np.random.default_rng(1).normal(scale=scale, size=kernel.shape))
    for variable in model.weights:
        if variable.path.endswith("/scale"):
            variable.assign(0.3)
    model.preprocessing = row.preprocessing().facts()
    return model


@pytest.fixture(scope="module")
def movinet():
    return ready(MoViNet(stream=True, input_shape=(None, 64, 64, 3), classes=5))


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    return write_video(path, moving_gradient(LENGTH, 72, 80), rate=RATE)


def of_clip(model, path, numbers):
    """Scores of a clip of some frames of a video."""
    processing = processing_of(single_view(model))
    clip = processing.transformed(data.open_video(path).read(numbers))
    return model.predict(processing.normalized(clip)[None], verbose=0)[0]


@pytest.mark.slow(every_change=True)
def test_the_last_scores_are_those_of_a_clip_of_all_frames(movinet, video):
    results = list(stream_video(movinet, video, every=1))
    # Every second frame, as in the row's clips: five per second.
    assert [result.frames for result in results] == [5, 10, 15, 20, 24]
    assert [result.end for result in results] == pytest.approx([1, 2, 3, 4, 4.7])
    assert {result.start for result in results} == {0}
    for result in results:
        expected = of_clip(movinet, video, range(0, 2 * result.frames, 2))
        np.testing.assert_allclose(result.scores, expected, atol=1e-5)
    assert np.abs(results[0].scores - results[-1].scores).max() > 1e-3


@pytest.mark.slow(every_change=True)
def test_a_window_and_a_rate(movinet, video):
    *_, last = stream_video(movinet, video, every=60, rate=RATE, window=4)
    assert (last.frames, last.start, last.end) == (LENGTH, 4.3, 4.7)
    *_, whole = stream_video(movinet, video, every=60, rate=RATE)
    np.testing.assert_allclose(whole.scores, of_clip(movinet, video, range(LENGTH)), atol=1e-5)
    assert np.abs(last.scores - whole.scores).max() > 1e-4


@pytest.mark.slow
def test_an_online_tsm(video):
    row = zoo.row("tsm_mobilenetv2_1x1x8_moving_shapes")
    model = TSM(backbone="mobilenet_v2", classes=3, input_shape=row.input_shape, online=True)
    results = list(stream_video(ready(model, row), video, rate=5))
    whole = TSM(
        backbone="mobilenet_v2", classes=3, input_shape=(24, *row.input_shape[1:]), online=True
    )
    whole.set_weights(model.get_weights())
    whole.preprocessing = model.preprocessing
    expected = of_clip(whole, video, range(0, LENGTH, 2))
    np.testing.assert_allclose(results[-1].scores, expected, atol=1e-5)


@pytest.mark.slow(every_change=True)
def test_a_variable_frame_rate_is_resampled_to_a_constant_one(movinet, tmp_path):
    images = moving_gradient(12, 72, 80)
    times = [*range(8), 12, 16, 20, 24]  # the last four are shown for longer
    path = write_video(tmp_path / "a.mp4", images, rate=RATE, times=times)
    pace = even_pace(path)
    assert pace.varies and len(set(pace.shown.tolist())) < pace.total_frames
    *_, last = stream_video(movinet, path, rate=pace.rate)
    assert last.frames == pace.total_frames > 20
    np.testing.assert_allclose(last.scores, of_clip(movinet, path, pace.shown), atol=1e-5)


def test_frame_selection():
    pace = EvenPace(30.0, np.arange(100))
    assert shown_numbers(pace, None, 5).tolist() == list(range(0, 100, 5))
    assert shown_numbers(pace, 10, 5).tolist() == list(range(0, 100, 3))
    assert shown_numbers(pace, 12, None).tolist()[:5] == [0, 2, 5, 7, 10]
    # A rate above that of the video repeats no frames.
    assert shown_numbers(pace, 60, 5).tolist() == list(range(100))
    assert shown_numbers(pace, None, None).tolist()[:4] == [0, 7, 15, 22]
    assert shown_numbers(EvenPace(10.0, np.zeros(1, int)), None, 7).tolist() == [0]


@pytest.mark.parametrize(
    ("row", "interval", "rate"),
    [
        ("movinet_a0_stream", 5, 5.0),
        ("movinet_a3_stream", 2, 12.5),
        ("tsm_mobilenetv2_dense_1x1x8_100e_kinetics400_rgb", 8, 3.125),
        ("tsm_r50_1x1x8_50e_sthv2_rgb", None, 4.0),
    ],
)
def test_frames_are_as_far_apart_as_in_the_clips_of_the_row(row, interval, rate):
    protocol = zoo.row(row).protocol()
    assert stream_interval(protocol) == interval
    assert stream_rate(protocol) == rate


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": 0}, "every=0"),
        ({"rate": -1}, "rate=-1"),
        ({"window": 0}, "window=0"),
    ],
)
def test_non_positive_numbers_are_rejected(settings, message):
    with pytest.raises(ValueError, match=f"{message}: expected a number above 0"):
        next(stream_video(None, "clip.mp4", **settings))


def test_a_model_that_is_not_causal_is_rejected(video):
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3), name="plain")
    with pytest.raises(ValueError, match=r"'plain' is not causal.*MoViNet\(stream=True\)"):
        next(stream_video(model, video))
