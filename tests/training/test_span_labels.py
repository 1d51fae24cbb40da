"""Targets and losses of a span detector."""

import keras
import numpy as np
import pytest

from keras_video.data import Span, SpanRecord
from keras_video.inference import WindowFeatures
from keras_video.inference.span_detection import pyramid_points
from keras_video.training import SpanFocalLoss, SpanIoULoss, SpanSequences, span_targets


def value(tensor):
    return float(keras.ops.convert_to_numpy(tensor))


def reference(spans, length, classes, stride):
    """The assignment rule of the paper, point by point."""
    labels, offsets, step = [], [], 1
    while step <= stride:
        low = 0 if step == 1 else 2 * step
        high = np.inf if step == stride else 4 * step
        for point in range(0, length, step):
            candidates = []
            for kind, start, end in spans:
                middle = (start + end) / 2
                near = max(start, middle - 1.5 * step) < point < min(end, middle + 1.5 * step)
                if near and low <= max(point - start, end - point) <= high:
                    candidates.append((end - start, kind, point - start, end - point))
            row = np.zeros(classes)
            for long, kind, *_ in candidates:
                if long <= min(candidates)[0] + 1e-3:
                    row[kind] = 1
            labels.append(row)
            best = min(candidates, key=lambda candidate: candidate[0], default=None)
            offsets.append((-1, -1) if best is None else (best[2] / step, best[3] / step))
        step *= 2
    return np.array(labels), np.array(offsets)


@pytest.mark.parametrize("seed", range(5))
def test_targets_are_those_of_the_paper(seed):
    rng = np.random.default_rng(seed)
    spans = []
    for _ in range(6):
        start = rng.uniform(-2, 60)
        spans.append((int(rng.integers(3)), start, start + rng.uniform(1, 40)))
    targets = span_targets(spans, 64, classes=3, stride=8)
    labels, offsets = reference(spans, 64, 3, 8)
    np.testing.assert_array_equal(targets["classes"], labels)
    np.testing.assert_allclose(targets["offsets"], offsets, atol=1e-5)
    assert labels.any() and len(labels) == 64 + 32 + 16 + 8


def test_padding_and_empty_sequences_are_marked():
    targets = span_targets([], 16, classes=2, stride=4, valid=9)
    positions, _ = pyramid_points(16, 4)
    assert ((targets["classes"] == -1).all(axis=1) == (positions >= 9)).all()
    assert (targets["offsets"] == -1).all()
    with pytest.raises(ValueError, match="length=18, expected a multiple of stride=4"):
        span_targets([], 18, classes=2, stride=4)
    with pytest.raises(ValueError, match=r"received class 2, expected one in \[0, 2\)"):
        span_targets([(2, 0, 1)], 16, classes=2, stride=4)


def test_the_focal_loss_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2, 5, 3)).astype("float32")
    true = rng.integers(-1, 2, (2, 5, 3)).astype("float32")
    p = 1 / (1 + np.exp(-logits.astype(float)))
    expected = np.where(true > 0, 0.25 * (1 - p) ** 2 * -np.log(p),
                        0.75 * p**2 * -np.log(1 - p))[true >= 0].sum()  # fmt: skip
    expected /= (true > 0).any(axis=-1).sum()
    assert value(SpanFocalLoss(from_logits=True)(true, logits)) == pytest.approx(expected, rel=1e-5)
    assert value(SpanFocalLoss()(true, p.astype("float32"))) == pytest.approx(expected, rel=1e-4)
    loss = keras.losses.deserialize(keras.losses.serialize(SpanFocalLoss(0.3, 1.0, True)))
    assert (loss.alpha, loss.gamma, loss.from_logits) == (0.3, 1.0, True)


def test_the_overlap_loss_is_that_of_its_definition():
    true = np.array([[[2.0, 4.0], [1, 1], [-1, -1]]], "float32")
    predicted = np.array([[[2.0, 4.0], [3, 1], [5, 5]]], "float32")
    # Exact; overlap 2 of 4 with middles 1 apart in a hull of 4; not counted.
    assert value(SpanIoULoss()(true, predicted)) == pytest.approx((0 + 0.5 + 1 / 16) / 2)
    assert value(SpanIoULoss()(true[:, 2:], predicted[:, 2:])) == 0


def features(count, channels=4, start=0.0):
    starts = start + np.arange(count) * 0.5
    rows = np.arange(1, count + 1, dtype="float32")[:, None].repeat(channels, 1)
    return WindowFeatures(starts, starts + 1.0, rows)


RECORDS = [
    SpanRecord("long", (Span("a", 5.0, 11.0), Span("b", 20.0, 22.0)), ("a", "b"), 40.0),
    SpanRecord("short", (Span("b", 1.0, 4.0),), ("a", "b"), 8.0),
]


def test_sequences_are_padded_and_their_spans_fit_them():
    windows = {"long": features(60), "short": features(15)}
    batches = SpanSequences(windows, RECORDS, 64, batch_size=2, stride=8, training=False)
    assert len(batches) == 1
    x, targets = batches[0]
    assert x.shape == (2, 64, 4) and (x[1, 15:] == 0).all() and (x[0, :60] > 0).all()
    positions, strides = pyramid_points(64, 8)
    for number, record in enumerate(RECORDS):
        labels, offsets = targets["classes"][number], targets["offsets"][number]
        for point in np.flatnonzero((labels > 0).any(axis=1)):
            start = positions[point] - offsets[point, 0] * strides[point]
            end = positions[point] + offsets[point, 1] * strides[point]
            times = windows[record.video].seconds([start, end])
            assert any(np.allclose(times, (span.start, span.end), atol=1e-4)
                       for span in record.spans)  # fmt: skip


def test_training_draws_new_parts_in_every_epoch():
    windows = {"long": features(60), "short": features(15)}
    batches = SpanSequences(windows, RECORDS[:1], 16, batch_size=1, stride=8)
    firsts, learned = [], 0
    for _ in range(12):
        x, targets = batches[0]
        firsts.append(int(x[0, 0, 0]))
        assert (np.diff(x[0, :, 0]) == 1).all()
        learned += (targets["classes"] > 0).any()
        batches.on_epoch_end()
    assert len(set(firsts)) > 6 and max(firsts) > 20 and 0 < learned < 12
    again = SpanSequences(windows, RECORDS[:1], 16, batch_size=1, stride=8)
    assert int(again[0][0][0, 0, 0]) == firsts[0]


def test_invalid_sequences_are_reported():
    with pytest.raises(ValueError, match="received no features of short"):
        SpanSequences({"long": features(9)}, RECORDS, 16, stride=8)
    with pytest.raises(ValueError, match="length=18, expected a multiple of stride=8"):
        SpanSequences({"long": features(9)}, RECORDS[:1], 18, stride=8)
    with pytest.raises(ValueError, match="received no records"):
        SpanSequences({}, [], 16, stride=8)
