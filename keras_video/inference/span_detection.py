"""Spans detected by a model such as `ActionFormer`: the best predictions of its points."""

import keras
import numpy as np

from keras_video.data.spans.overlap import temporal_iou
from keras_video.data.spans.records import Span


def detect_spans(
    model,
    features,
    class_names=None,
    *,
    min_score=0.01,
    top_k=2000,
    max_spans=200,
    sigma=0.5,
):
    """The spans that a detector predicts for a video.

    Every point of the pyramid predicts a span for each class that it scores. Those of a class are
    filtered by soft non-maximum suppression (arXiv:1704.04503): a span's score falls by
    `exp(-iou**2 / sigma)` for every better one that it overlaps.

    Args:
        model: an `ActionFormer`.
        features: the `WindowFeatures` of a video, computed like those that it was trained on.
        class_names: names of the classes; None takes those of the model, or else numbers.
        min_score: spans with lower scores are dropped.
        top_k: candidates per pyramid level.
        max_spans: maximum number of spans per video.
        sigma: width of the score decay; a larger value lets more spans overlap.

    Returns:
        A list of `Span` with scores, the best first, within the video.

    Raises:
        ValueError: if the features have another number of channels or are longer than the model
            takes, the number of names is wrong, or settings are out of range.
    """
    if not 0 < min_score < 1 or not sigma > 0:
        raise ValueError(
            f"received min_score={min_score}, sigma={sigma}, expected a score in (0, 1) and a "
            "number above 0"
        )
    scores, offsets = outputs_of(model, features.features)
    stride = last_stride(model)
    # For every `stride` features the levels have 2 * stride - 1 points in total.
    points = pyramid_points(len(scores) * stride // (2 * stride - 1), stride)
    names = class_names or model.class_names or [str(label) for label in range(scores.shape[-1])]
    if len(names) != scores.shape[-1]:
        raise ValueError(
            f"received {len(names)} class names, expected {scores.shape[-1]}, one per class"
        )
    detected = []
    count = len(features.features)
    spans, scores, labels = _candidates(scores, offsets, points, count, min_score, top_k)
    times = np.clip(features.seconds(spans), 0, features.duration)
    for label in np.unique(labels):
        in_class = labels == label
        kept, values = soft_nms(times[in_class], scores[in_class], sigma, min_score)
        detected += [
            Span(str(names[label]), float(start), float(end), float(score))
            for (start, end), score in zip(kept, values, strict=True)
        ]
    return sorted(detected, key=lambda span: -span.score)[:max_spans]


def outputs_of(model, features):
    """Probabilities `(points, classes)` and offsets `(points, 2)` of a video's features.

    Features are padded to the length that the model takes.

    Raises:
        ValueError: if they are longer, or have another number of channels.
    """
    length, channels = model.input_shape[1:]
    if features.shape[1] != channels or (length is not None and len(features) > length):
        raise ValueError(
            f"received features of shape {features.shape}, expected at most {length or 'any'} rows "
            f"of {channels}: model {model.name!r} takes {model.input_shape}"
        )
    stride = last_stride(model)
    padded = length or -(-len(features) // stride) * stride
    batch = np.pad(features, ((0, padded - len(features)), (0, 0)))[None].astype("float32")
    outputs = model.predict_on_batch(batch)
    scores, offsets = (np.asarray(outputs[key][0], np.float64) for key in ("classes", "offsets"))
    layer = model.get_layer("predictions")
    if layer.activation is keras.activations.linear:
        scores = 1 / (1 + np.exp(-scores))
    return scores, offsets


def last_stride(model):
    """The stride of the coarsest level of a detector's pyramid, in features."""
    levels = sum(layer.name.startswith("fpn_norm_") for layer in model.layers)
    return 2 ** (levels - 1)


def pyramid_points(length, stride):
    """Positions and strides of the points of a pyramid, two float64 arrays `(points,)`.

    Args:
        length: length of the sequence, a multiple of `stride`.
        stride: stride of the coarsest level.
    """
    levels = [2**level for level in range(int(np.log2(stride)) + 1)]
    positions = np.concatenate([np.arange(0, length, step) for step in levels])
    strides = np.repeat(levels, [length // step for step in levels])
    return positions.astype(float), strides.astype(float)


def _candidates(scores, offsets, points, length, min_score, top_k):
    """Candidate spans in units of features `(n, 2)`, their scores and labels `(n,)`."""
    positions, strides = points
    scores = np.where((positions < length)[:, None], scores, 0)
    candidates = []
    for step in np.unique(strides):
        points, labels = np.nonzero((scores >= min_score) & (strides == step)[:, None])
        best = np.argsort(-scores[points, labels], kind="stable")[:top_k]
        candidates.append(np.stack([points[best], labels[best]], 1))
    points, labels = np.concatenate(candidates).T
    left, right = (offsets[points] * strides[points, None]).T
    spans = np.stack([positions[points] - left, positions[points] + right], 1)
    is_long = spans[:, 1] - spans[:, 0] > 0.05
    return spans[is_long], scores[points, labels][is_long], labels[is_long]


def soft_nms(spans, scores, sigma, min_score):
    """Spans and their scores after soft non-maximum suppression, best first.

    Args:
        spans: `(n, 2)`.
        scores: `(n,)`.
        sigma, min_score: see `detect_spans`.
    """
    spans, scores = np.array(spans, np.float64), np.array(scores, np.float64)
    kept, values = [], []
    while len(scores):
        best = scores.argmax()
        if scores[best] < min_score:
            break
        kept.append(spans[best])
        values.append(scores[best])
        overlap = temporal_iou(spans[best][None], spans)[0]
        scores = scores * np.exp(-(overlap**2) / sigma)
        remaining = scores >= min_score
        remaining[best] = False
        spans, scores = spans[remaining], scores[remaining]
    return np.array(kept).reshape(-1, 2), np.array(values)
