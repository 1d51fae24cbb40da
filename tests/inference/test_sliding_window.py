import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.applications import I3D, TSN
from keras_video.inference import WindowScores, predict_views, predict_windows
from keras_video.inference.single_view import single_view
from keras_video.inference.sliding_window import window_clips, window_starts
from tests.videos import moving_gradient, write_video

ROW = zoo.row("tsn_r18_1x1x4_moving_shapes")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return write_video(path, moving_gradient(33, 72, 80), rate=10, bf="2", g="8")


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3))
    kernel = np.random.default_rng(0).normal(scale=0.05, size=(512, 3)).astype("float32")
    model.get_layer("fc_cls").kernel.assign(kernel)
    model.preprocessing = ROW.preprocessing().facts()
    return model


def test_every_window_has_the_scores_of_its_frames(model, clip):
    windows = predict_windows(model, clip, window=1.2, stride=0.9)
    np.testing.assert_allclose(windows.starts, [0, 0.9, 1.8, 2.1], atol=1e-9)
    np.testing.assert_allclose(windows.ends, windows.starts + 1.2)
    transforms = data.row_transforms(ROW, "val")
    within = data.SampleFrames(clip_len=1, num_clips=4)(12, training=False).ravel()
    for start, scores in zip((0, 9, 18, 21), windows.scores, strict=True):
        frames = data.open_video(clip).read(start + within)
        expected = predict_views(model, data.apply_transforms(transforms, frames)[None, None])[0]
        np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert np.ptp(windows.scores, axis=0).max() > 1e-3
    np.testing.assert_allclose(windows.mean(), windows.scores.mean(0))


def test_a_short_video_is_a_single_window(model, clip):
    windows = predict_windows(model, clip, window=60)
    assert windows.scores.shape == (1, 3)
    np.testing.assert_allclose(windows.ends, 3.3)


def test_clips_contain_exactly_the_expected_frames(clip):
    read = data.open_video(clip)
    within = np.array([3, 0, 7, 7])
    clips = list(window_clips(clip, [0, 5, 20], within))
    for start, frames in zip([0, 5, 20], clips, strict=True):
        np.testing.assert_array_equal(frames, read.read(start + within))


@pytest.mark.parametrize(
    ("total", "length", "stride", "starts"),
    [(10, 4, 2, [0, 2, 4, 6]), (11, 4, 3, [0, 3, 6, 7]), (4, 4, 9, [0]), (9, 1, 20, [0, 8])],
)
def test_windows_reach_the_end(total, length, stride, starts):
    assert window_starts(total, length, stride) == starts


def test_smoothing_is_an_exponential_moving_average():
    scores = np.array([[1, 0], [0, 1], [0, 1]], "float32")
    windows = WindowScores(np.arange(3.0), np.arange(3.0) + 2, scores)
    np.testing.assert_allclose(windows.smoothed(0.5).scores[:, 0], [1, 0.5, 0.25])
    np.testing.assert_array_equal(windows.smoothed(0).scores, scores)
    np.testing.assert_array_equal(windows.at(0), [1, 0])
    np.testing.assert_array_equal(windows.at(2.6), [0, 1])
    with pytest.raises(ValueError, match="smoothing=1"):
        windows.smoothed(1)


def test_a_single_view_matches_the_input_of_the_model(model):
    settings = single_view(model)
    assert settings.sampling.total_frames(training=False) == 4
    assert (settings.spatial.crop.kind, settings.spatial.crop.size) == ("center", 64)
    row = zoo.row("i3d_r50_32x2x1_100e_kinetics400_rgb")
    i3d = I3D(classes=3, input_shape=(8, 64, 64, 3))
    i3d.preprocessing = row.preprocessing().facts()
    with pytest.raises(ValueError, match="window=0.5 s is 5 frames at 10 .*span 63 frames.*6.30 s"):
        predict_windows_of(i3d)


def predict_windows_of(model):
    from keras_video.inference.single_view import frame_span
    from keras_video.inference.sliding_window import window_length

    return window_length(0.5, frame_span(single_view(model).sampling), 10)


@pytest.mark.parametrize("name", ["window", "stride"])
def test_rejects_non_positive_settings(model, clip, name):
    with pytest.raises(ValueError, match=f"{name}=0"):
        predict_windows(model, clip, **{name: 0})


def test_rejects_models_with_other_inputs(clip):
    flow = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 10), name="flow")
    flow.preprocessing = ROW.preprocessing().facts()
    with pytest.raises(ValueError, match="'flow' takes .*10.*expected RGB clips"):
        predict_windows(flow, clip)
