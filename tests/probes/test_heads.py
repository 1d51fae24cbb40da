import keras
import numpy as np
import pytest

from keras_video.probes import cross_validate, fit_head
from keras_video.probes.heads import class_weights
from keras_video.probes.validation import fit_videos, video_scores

RNG = np.random.default_rng(0)
LABELS = np.arange(36) % 3
CENTERS = RNG.normal(size=(3, 8)) * 3
VECTORS = (CENTERS[LABELS] + RNG.normal(size=(36, 8))).astype("float32") * 5 + 100
# The class is the position of the only large token.
PLACES = RNG.normal(size=(36, 3, 64)).astype("float32") * 0.1
PLACES[np.arange(36), LABELS] += 3


def features_for(kind):
    return VECTORS[:, None].repeat(2, 1) if kind == "attentive" else VECTORS


@pytest.mark.parametrize("kind", ["linear", "attentive", "knn"])
def test_a_head_learns_and_its_keras_layer_is_equivalent(kind):
    x = features_for(kind)
    head = fit_head(kind, x, LABELS, 3)
    logits = head.logits(x)
    assert logits.dtype == np.float32 and (logits.argmax(1) == LABELS).mean() > 0.9
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, head.attach(inputs))
    np.testing.assert_allclose(model.predict(x, verbose=0), logits, atol=2e-3)


def test_an_attentive_head_distinguishes_positions_that_the_mean_cannot():
    scores = cross_validate("attentive", PLACES[:, None], LABELS, 3, folds=3, verbose=0)
    assert (scores.argmax(1) == LABELS).mean() > 0.9
    scores = cross_validate("linear", PLACES[:, None].mean(2), LABELS, 3, folds=3, verbose=0)
    assert (scores.argmax(1) == LABELS).mean() < 0.7


def test_the_penalty_of_a_linear_head_is_high_if_features_are_noise():
    noise = np.random.default_rng(1).normal(size=(36, 60))
    assert fit_head("linear", noise, LABELS, 3).facts["penalty"] == 1.0
    assert fit_head("linear", VECTORS, LABELS, 3).facts["penalty"] < 1.0


def test_balanced_classes_have_equal_weight():
    labels = np.array([0] * 30 + [1] * 3)
    weights = class_weights(labels, 2)
    assert weights[0] * 30 == pytest.approx(weights[-1] * 3) and weights.mean() == pytest.approx(1)
    x = np.random.default_rng(2).normal(size=(33, 1, 2))
    for kind in ("linear", "knn"):
        options = {"neighbors": 33}
        even = fit_videos(kind, x, labels, 2, balanced=True, **options)
        plain = fit_videos(kind, x, labels, 2, balanced=False, **options)
        rare = video_scores(even, x)[:, 1].mean(), video_scores(plain, x)[:, 1].mean()
        assert rare[0] > 2 * rare[1], kind


def test_views_of_a_video_are_averaged():
    x = np.stack([VECTORS, VECTORS[::-1]], 1)
    head = fit_head("linear", VECTORS, LABELS, 3)

    def softmax(logits):
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    logits = np.stack([head.logits(VECTORS), head.logits(VECTORS[::-1])], 1)
    np.testing.assert_allclose(video_scores(head, x), softmax(logits).mean(1), atol=1e-5)
    np.testing.assert_allclose(video_scores(head, x, "score"), softmax(logits.mean(1)), atol=1e-5)


def test_videos_are_scored_by_heads_not_trained_on_them():
    """With labels unrelated to the features, training videos would still be classified well."""
    noise = np.random.default_rng(3).normal(size=(60, 1, 100))
    labels = np.arange(60) % 2
    scores = cross_validate("knn", noise, labels, 2, neighbors=1, verbose=0)
    assert (scores.argmax(1) == labels).mean() < 0.75
    twice = np.concatenate([noise, noise])
    options = {"neighbors": 1, "verbose": 0}
    groups = np.arange(120) % 60
    leaked = cross_validate("knn", twice, np.tile(labels, 2), 2, **options)
    apart = cross_validate("knn", twice, np.tile(labels, 2), 2, groups=groups, **options)
    assert (leaked.argmax(1) == np.tile(labels, 2)).mean() > 0.7
    assert (apart.argmax(1) == np.tile(labels, 2)).mean() < 0.75


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("svm", VECTORS, LABELS, 3), "head='svm': expected one of linear"),
        (("linear", PLACES, LABELS, 3), r"received features of shape \(36, 3, 64\)"),
        (("attentive", VECTORS, LABELS, 3), r"expected \(examples, tokens, width\)"),
        (("knn", VECTORS, LABELS, 2), r"received labels \[0, 1, 2\]"),
    ],
    ids=["kind", "tokens", "vectors", "labels"],
)
def test_mismatched_arguments_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_head(*arguments)
