import keras
import numpy as np
import pytest
from keras import layers

from keras_video.applications.s3d import S3D


@pytest.fixture(scope="module")
def model():
    return S3D(input_shape=(8, 32, 32, 3), classes=4, classifier_activation=None)


def test_norms_are_slow_and_have_the_epsilon_of_the_original(model):
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    assert len(norms) == 77
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(1e-3, 0.999)}


def test_an_odd_last_frame_is_dropped():
    """One pooling keeps 5 of 9 and 4 of 7 pairs of frames, and the last one keeps 2 of each."""
    shapes = [
        S3D(include_top=False, input_shape=(frames, 64, 64, 3)).output_shape
        for frames in (14, 18, 24)
    ]
    assert shapes == [(None, 2, 2, 2, 1024), (None, 2, 2, 2, 1024), (None, 3, 2, 2, 1024)]


def test_logits_are_averaged_over_sliding_windows():
    body = keras.Input((3, 8, 7, 1024))
    whole = S3D(input_shape=(24, 256, 224, 3), classes=3, classifier_activation=None, dropout=0)
    head = [whole.get_layer(name) for name in ("avg_pool", "fc_cls", "consensus")]
    x = body
    for layer in head:
        x = layer(x)
    features = np.random.default_rng(0).normal(size=(1, 3, 8, 7, 1024)).astype("float32")
    actual = keras.ops.convert_to_numpy(keras.Model(body, x)(features))
    kernel, bias = head[1].get_weights()
    windows = [features[:, t : t + 2, y : y + 7].mean((1, 2, 3)) for t in (0, 1) for y in (0, 1)]
    expected = np.mean([window @ kernel + bias for window in windows], axis=0)
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-5)


def test_a_small_clip_is_covered_by_one_window(model):
    assert model.get_layer("avg_pool").output.shape == (None, 1, 1, 1, 1024)


def test_too_few_frames_are_rejected():
    with pytest.raises(ValueError, match="4 frames, expected at least 5"):
        S3D(input_shape=(4, 224, 224, 3))
    assert S3D(input_shape=(5, 32, 32, 3), include_top=False).output_shape[1] == 1
