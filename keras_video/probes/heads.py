"""Small classifiers on features: linear, attentive, nearest neighbors.

All are trained on float features `(examples, ...)`, class indices and a weight per example, and
return a `Head`: a function from features to logits in NumPy, and the same as Keras layers.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from keras_video.layers.probe_heads import NearestNeighbors, QueryPooling, Standardize
from keras_video.probes.bodies import CLASSIFIER
from keras_video.probes.folds import stratified_folds
from keras_video.probes.logistic import fit_logistic

HEADS = ("linear", "attentive", "knn")
# Candidate L2 penalties of a linear head, for the kernel on standardized features.
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
_INNER_FOLDS = 4
# An attentive head is trained with AdamW (arXiv:1711.05101).
_STEPS = 150
_RATE = 0.01
_DECAY = 0.05
_MOST_QUERIES, _LEAST_CHANNELS = 16, 16
_BATCH = 64


@dataclass(frozen=True)
class Head:
    """A trained head.

    Attributes:
        attach: function from a Keras tensor of features to one of logits, which adds new layers
            with the trained weights.
        logits: function from an array of features `(examples, ...)` to float32 logits
            `(examples, classes)`.
        facts: its selected hyperparameters, as JSON values.
    """

    attach: Callable
    logits: Callable
    facts: dict


def fit_head(kind, features, labels, classes, *, weights=None, neighbors=5, seed=0):
    """Trains a head.

    Args:
        kind: "linear" (logistic regression; its penalty is chosen by cross-validation among the
            examples), "attentive" (`QueryPooling` over the tokens, then a linear layer) or "knn"
            (`NearestNeighbors`).
        features: float `(examples, width)`; `(examples, tokens, width)` for "attentive".
        labels: class indices `(examples,)`.
        classes: number of classes.
        weights: a weight per example; equal ones if `None`.
        neighbors: "knn": number of neighbors that vote.
        seed: seed of the folds, and of the order of an attentive head's examples.

    Returns:
        A `Head`; `head.logits(features)` returns float32 `(examples, classes)`.

    Raises:
        ValueError: for an unknown kind, features of the wrong rank, or labels out of range.
    """
    features, labels = np.asarray(features), np.asarray(labels, np.int64)
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
    _check(kind, features, labels, classes, neighbors)
    if kind == "linear":
        return _fit_linear(features, labels, classes, weights, seed)
    if kind == "knn":
        return _fit_neighbors(features, labels, classes, weights, neighbors)
    return _fit_attentive(features, labels, classes, weights, seed)


def class_weights(labels, classes):
    """A weight per example, of mean 1, that gives every class that occurs the same total weight."""
    counts = np.bincount(labels, minlength=classes)
    return len(labels) / (np.count_nonzero(counts) * counts[labels])


def _check(kind, features, labels, classes, neighbors):
    if kind not in HEADS:
        raise ValueError(f"head={kind!r}: expected one of {', '.join(HEADS)}.")
    rank = 3 if kind == "attentive" else 2
    if features.ndim != rank or len(features) != len(labels):
        expected = "(examples, tokens, width)" if rank == 3 else "(examples, width)"
        raise ValueError(
            f"head={kind!r}: received features of shape {features.shape} for {len(labels)} labels, "
            f"expected {expected}."
        )
    if not len(labels) or labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"received labels {sorted(set(labels.tolist()))}, expected labels from 0 to "
            f"{classes - 1}."
        )
    if neighbors < 1:
        raise ValueError(f"neighbors={neighbors}: expected at least 1.")


def _statistics(features, weights):
    """Mean and standard deviation of every channel; 1 if it is nearly constant."""
    flat = features.reshape(len(features), -1, features.shape[-1]).astype(np.float64)
    fractions = weights / weights.sum()
    mean = np.einsum("n,ntc->c", fractions, flat) / flat.shape[1]
    variance = np.einsum("n,ntc->c", fractions, (flat - mean) ** 2) / flat.shape[1]
    deviation = np.sqrt(variance)
    least = 1e-3 * max(float(np.sqrt(variance.mean())), 1e-12)
    return mean, np.where(deviation < least, 1.0, deviation)


def _fit_linear(features, labels, classes, weights, seed):
    targets = np.eye(classes)[labels]

    def fit(chosen, penalty):
        mean, deviation = _statistics(features[chosen], weights[chosen])
        kernel, bias = fit_logistic(
            (features[chosen] - mean) / deviation, targets[chosen], weights[chosen], penalty
        )
        kernel = kernel / deviation[:, None]
        return kernel, bias - mean @ kernel

    penalty = _best_penalty(fit, features, labels, weights, seed)
    kernel, bias = fit(np.arange(len(labels)), penalty)

    def attach(tensor):
        dense = layers.Dense(classes, dtype="float32", name=CLASSIFIER)
        logits = dense(tensor)
        dense.set_weights([kernel, bias])
        return logits

    def logits(x):
        return (np.asarray(x, np.float64) @ kernel + bias).astype(np.float32)

    return Head(attach, logits, {"penalty": penalty})


def _best_penalty(fit, features, labels, weights, seed):
    """The penalty with the lowest cross-entropy on held-out examples."""
    folds = stratified_folds(labels, _INNER_FOLDS, seed=seed)
    if len(np.unique(folds)) < 2:
        return PENALTIES[-1]
    losses = []
    for penalty in PENALTIES:
        loss = 0.0
        for fold in np.unique(folds):
            held_out = folds == fold
            kernel, bias = fit(np.flatnonzero(~held_out), penalty)
            logits = features[held_out] @ kernel + bias
            chosen = _log_softmax(logits)[np.arange(held_out.sum()), labels[held_out]]
            loss -= weights[held_out] @ chosen
        losses.append(loss)
    return PENALTIES[int(np.argmin(losses))]


def _log_softmax(logits):
    logits = logits - logits.max(1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def _fit_neighbors(features, labels, classes, weights, neighbors):
    mean, _ = _statistics(features, weights)
    keys = (features - mean).astype(np.float32)
    votes = (np.eye(classes)[labels] * weights[:, None]).astype(np.float32)

    def attach(tensor):
        center = Standardize(dtype="float32", name="probe_center")
        classifier = NearestNeighbors(
            classes, len(keys), neighbors=neighbors, dtype="float32", name=CLASSIFIER
        )
        logits = classifier(center(tensor))
        center.set_weights([mean, np.ones_like(mean)])
        classifier.set_weights([keys, votes])
        return logits

    return Head(attach, _in_keras(attach, features), {"neighbors": neighbors})


def _fit_attentive(features, labels, classes, weights, seed):
    tokens, width = features.shape[1:]
    divisors = [q for q in range(1, _MOST_QUERIES + 1) if width % q == 0]
    queries = max(q for q in divisors if q == 1 or width // q >= _LEAST_CHANNELS)
    mean, deviation = _statistics(features, weights)

    def add_layers(tensor):
        positions = tensor.shape[1] is not None
        standard = Standardize(dtype="float32", name="probe_standardize")
        pool = QueryPooling(queries, positions, dtype="float32", name="probe_pooling")
        dense = layers.Dense(classes, kernel_initializer="zeros", dtype="float32", name=CLASSIFIER)
        logits = dense(pool(standard(tensor)))
        standard.set_weights([mean, deviation])
        return logits, pool, dense

    inputs = keras.Input((tokens, width))
    logits, pool, dense = add_layers(inputs)
    model = keras.Model(inputs, logits)
    _train(model, features, labels, weights, seed)
    trained = pool.get_weights(), dense.get_weights()

    def attach(tensor):
        logits, pool, dense = add_layers(tensor)
        pool.set_weights(trained[0][: len(pool.weights)])
        dense.set_weights(trained[1])
        return logits

    facts = {"queries": queries, "tokens": tokens}
    return Head(attach, _predict(model), facts)


def _train(model, features, labels, weights, seed):
    """Trains for a fixed number of steps with a cosine learning rate schedule."""
    size = min(_BATCH, len(labels))
    rate = keras.optimizers.schedules.CosineDecay(_RATE, _STEPS)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=_DECAY),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    rng, remaining = np.random.default_rng(seed), np.zeros(0, int)
    for _ in range(_STEPS):
        if len(remaining) < size:
            remaining = np.concatenate([remaining, rng.permutation(len(labels))])
        chosen, remaining = remaining[:size], remaining[size:]
        model.train_on_batch(features[chosen], labels[chosen], sample_weight=weights[chosen])


def _in_keras(attach, features):
    inputs = keras.Input(features.shape[1:])
    return _predict(keras.Model(inputs, attach(inputs)))


def _predict(model):
    def logits(x):
        return np.asarray(model.predict(np.asarray(x), batch_size=_BATCH, verbose=0), np.float32)

    return logits
