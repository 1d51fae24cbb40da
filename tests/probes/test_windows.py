"""Features of the windows of long videos: their values, and when they are recomputed."""

import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.applications import TSN
from keras_video.inference import window_features
from keras_video.probes import ProbeBody, extract_window_features, windows
from tests.videos import write_video


def small_model(seed=0):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((32, 32, 3))
    backbone = keras.Model(inputs, keras.layers.Conv2D(6, 8, 8, activation="relu")(inputs))
    model = TSN(backbone=backbone, classes=2, input_shape=(4, 32, 32, 3))
    model.protocol = zoo.row("tsn_r18_1x1x4_moving_shapes").protocol("test")
    return model


@pytest.fixture
def videos(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for name in ("one", "two"):
        frames = rng.integers(0, 255, (1, 8, 8, 3), np.uint8).repeat(40, 0)
        frames[20:] //= 2
        paths.append(tmp_path / f"{name}.mp4")
        write_video(paths[-1], frames.repeat(8, 1).repeat(8, 2), rate=20)
    return paths


def test_features_equal_window_features_and_are_computed_once(videos, tmp_path, monkeypatch):
    model, cache = small_model(), tmp_path / "cache"
    settings = {"window": 0.5, "stride": 0.25, "cache": cache, "verbose": 0}
    extracted = extract_window_features(ProbeBody(model), videos, **settings)
    assert list(extracted) == videos
    for video, features in extracted.items():
        expected = window_features(model, video, window=0.5, stride=0.25)
        np.testing.assert_allclose(features.starts, expected.starts)
        np.testing.assert_allclose(features.ends, expected.ends)
        np.testing.assert_allclose(features.features, expected.features, rtol=1e-5, atol=1e-6)
    calls = []
    whole = windows.over_windows
    monkeypatch.setattr(windows, "over_windows", lambda *a: calls.append(a) or whole(*a))
    renamed = videos[0].rename(tmp_path / "renamed.mp4")
    again = extract_window_features(ProbeBody(model), [renamed, videos[1]], **settings)
    assert not calls
    np.testing.assert_array_equal(again[renamed].features, extracted[videos[0]].features)
    np.testing.assert_array_equal(again[renamed].ends, extracted[videos[0]].ends)
    # Other windows or weights result in other features.
    extract_window_features(ProbeBody(model), [renamed], **{**settings, "stride": 0.5})
    extract_window_features(ProbeBody(small_model(1)), [renamed], **settings)
    assert len(calls) == 2


def test_token_bodies_are_rejected(videos):
    with pytest.raises(ValueError, match="one vector a window"):
        extract_window_features(ProbeBody(small_model(), tokens=True), videos)


def test_a_video_that_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        extract_window_features(
            ProbeBody(small_model()), [tmp_path / "absent.mp4"], cache=tmp_path, verbose=0
        )
