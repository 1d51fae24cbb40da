"""Span detection: from points to spans, and their suppression."""

import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.applications import TSN, ActionFormer
from keras_video.inference import (
    WindowFeatures,
    detect_spans,
    feature_model,
    predict_windows,
    window_features,
)
from keras_video.inference.feature_files import feature_store
from keras_video.inference.span_detection import pyramid_points, soft_nms
from tests.videos import moving_gradient, write_video


class Detector:
    """A stand-in for a model, with the members that `detect_spans` uses and fixed outputs."""

    name, class_names = "detector", ["a", "b"]

    def __init__(self, length, outputs, activation="sigmoid"):
        self.input_shape = (None, length, 4)
        self._outputs, self.received = outputs, None
        self.layers = [keras.layers.Identity(name=f"fpn_norm_{level}") for level in range(3)]
        self._activation = keras.layers.Activation(activation)

    def predict_on_batch(self, x):
        self.received = x
        return self._outputs

    def get_layer(self, name):
        assert name == "predictions"
        return self._activation


def features(count, irregular=False):
    starts = np.arange(count) * 0.5
    if irregular:
        starts[-1] -= 0.2
    return WindowFeatures(starts, starts + 1.0, np.ones((count, 4), "float32"))


def outputs_with(entries, length=16):
    """Scores and offsets, 0 but for `{(stride, position): (class, score, left, right)}`."""
    positions, strides = pyramid_points(length, 4)
    scores, offsets = np.zeros((1, len(positions), 2)), np.zeros((1, len(positions), 2))
    for (stride, position), (label, score, *ends) in entries.items():
        point = np.flatnonzero((positions == position) & (strides == stride))
        scores[0, point, label], offsets[0, point] = score, ends
    return {"classes": scores, "offsets": offsets}


def test_points_become_spans_in_seconds():
    model = Detector(None, outputs_with({(1, 3): (0, 0.9, 2, 3), (4, 8): (1, 0.5, 1, 0.5)}))
    first, second = detect_spans(model, features(14))
    assert model.received.shape == (1, 16, 4) and (model.received[0, 14:] == 0).all()
    # Feature n is at the center of its window, at (n + 1) / 2 seconds.
    assert (first.label, first.start, first.end, first.score) == ("a", 1.0, 3.5, 0.9)
    assert (second.label, second.start, second.end) == ("b", 2.5, 5.5)


def test_spans_end_with_the_video_and_padding_yields_none():
    entries = {(1, 10): (0, 0.9, 20, 20), (1, 14): (1, 0.9, 1, 1)}
    (span,) = detect_spans(Detector(16, outputs_with(entries)), features(12))
    assert (span.start, span.end) == (0, 6.5)


def test_logits_are_distinguished_from_probabilities():
    entries = {(1, 3): (0, 2.0, 2, 3)}
    outputs = outputs_with(entries)
    outputs["classes"][outputs["classes"] == 0] = -50
    (span,) = detect_spans(Detector(16, outputs, "linear"), features(14), ["x", "y"])
    assert span.label == "x" and span.score == pytest.approx(1 / (1 + np.exp(-2)))


def test_soft_suppression_follows_its_definition():
    rng = np.random.default_rng(0)
    starts = rng.uniform(0, 20, 30)
    spans, scores = np.stack([starts, starts + rng.uniform(1, 8, 30)], 1), rng.uniform(0.05, 1, 30)
    kept, values = soft_nms(spans, scores, 0.5, 0.01)
    left, expected = [(score, *span) for score, span in zip(scores, spans, strict=True)], []
    while left:
        left.sort(reverse=True)
        best, *rest = left
        expected.append(best)
        left = []
        for score, start, end in rest:
            shared = max(0, min(end, best[2]) - max(start, best[1]))
            iou = shared / (end - start + best[2] - best[1] - shared)
            if score * np.exp(-(iou**2) / 0.5) >= 0.01:
                left.append((score * np.exp(-(iou**2) / 0.5), start, end))
    np.testing.assert_allclose(np.column_stack([values, kept]), expected)


def test_invalid_input_is_reported():
    model = Detector(16, outputs_with({}))
    assert detect_spans(model, features(8)) == []
    with pytest.raises(ValueError, match=r"shape \(17, 4\), expected at most 16 rows of 4"):
        detect_spans(model, features(17))
    with pytest.raises(ValueError, match="received 3 class names, expected 2"):
        detect_spans(model, features(8), ["a", "b", "c"])
    with pytest.raises(ValueError, match="min_score=0"):
        detect_spans(model, features(8), min_score=0)


def test_a_real_model_accepts_any_number_of_features():
    model = ActionFormer(input_shape=(None, 4), classes=2, embed_dim=8, num_heads=2,
                         depths=(1, 1, 2), window=5)  # fmt: skip
    for count in (1, 3, 14, 33):
        spans = detect_spans(model, features(count), min_score=0.001)
        assert all(0 <= span.start < span.end <= features(count).duration for span in spans)


@pytest.mark.parametrize("irregular", [False, True])
def test_positions_and_seconds_are_inverse_conversions(irregular):
    windows = features(9, irregular)
    seconds = np.array([[-1.0, 0.5, 2.2], [4.4, 4.6, 7.0]])
    np.testing.assert_allclose(windows.seconds(windows.positions(seconds)), seconds)
    assert windows.positions(0.5) == 0 and windows.positions(0.0) == -1
    alone = WindowFeatures(np.array([0.0]), np.array([3.0]), np.ones((1, 4), "float32"))
    assert alone.seconds(alone.positions(2.0)) == 2.0


def test_features_of_windows_are_those_of_their_clips(tmp_path):
    path = write_video(tmp_path / "clip.mp4", moving_gradient(33, 72, 80), rate=10)
    model = TSN(backbone="resnet18", classes=3, input_shape=(4, 64, 64, 3))
    model.preprocessing = zoo.row("tsn_r18_1x1x4_moving_shapes").preprocessing().facts()
    extracted = window_features(model, path, window=1.2, stride=0.9)
    windows = predict_windows(model, path, window=1.2, stride=0.9)
    np.testing.assert_array_equal(extracted.starts, windows.starts)
    np.testing.assert_array_equal(extracted.ends, windows.ends)
    assert extracted.features.shape == (4, 512)
    kernel, bias = (
        keras.ops.convert_to_numpy(variable) for variable in model.get_layer("fc_cls").weights
    )
    logits = extracted.features @ kernel + bias
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(scores, windows.scores, atol=1e-5)
    assert feature_model(model).model.output_shape[-1] == 512
    store = feature_store(tmp_path / "features", {"row": "x"})
    extracted.save(store, "clip.mp4")
    again = WindowFeatures.load(store, "clip.mp4")
    np.testing.assert_array_equal(again.features, extracted.features)
    np.testing.assert_array_equal(again.ends, extracted.ends)
    with pytest.raises(ValueError, match="pooling='none', expected"):
        window_features(model, path, pooling="none")
