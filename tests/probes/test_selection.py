import numpy as np
import pytest

from keras_video.probes import rank_unlabeled

SCORES = np.array([[0.98, 0.01, 0.01], [0.45, 0.45, 0.1], [0.36, 0.33, 0.31], [0.7, 0.2, 0.1]])
FEATURES = np.array([[0.0, 0], [10, 0], [0.1, 0], [0, 8]])


def order(strategy, **options):
    ranked = rank_unlabeled(strategy, FEATURES, **options)
    scores = [candidate.score for candidate in ranked]
    assert scores == sorted(scores, reverse=True)
    return [candidate.index for candidate in ranked]


def test_the_least_certain_come_first():
    assert order("margin", scores=SCORES) == [1, 2, 3, 0]
    assert order("entropy", scores=SCORES) == [2, 1, 3, 0]
    first = rank_unlabeled("margin", FEATURES, scores=SCORES, count=2)
    assert len(first) == 2 and first[0].score == pytest.approx(1)
    np.testing.assert_array_equal(first[1].scores, SCORES[2])


def test_a_core_set_is_spread_out():
    ranked = rank_unlabeled("core-set", FEATURES, labeled=np.array([[9.5, 0.0]]))
    assert ranked[0].index == 3 and ranked[-1].index in (0, 2, 1)
    indices = [candidate.index for candidate in rank_unlabeled("core-set", FEATURES, count=3)]
    assert {1, 3} < set(indices) and len(set(indices)) == 3


def test_each_selected_video_is_farthest_from_the_previous_ones():
    rng = np.random.default_rng(0)
    features, labeled = rng.normal(size=(12, 3)), rng.normal(size=(4, 3))
    every = np.concatenate([features, labeled])
    scaled = (every - every.mean(0)) / every.std(0)
    known = list(range(12, 16))
    for candidate in rank_unlabeled("core-set", features, labeled=labeled):
        gaps = np.linalg.norm(scaled[:12, None] - scaled[known], axis=-1).min(1)
        assert (
            gaps[candidate.index]
            == pytest.approx(gaps.max())
            == pytest.approx(candidate.score, abs=1e-6)
        )
        known.append(candidate.index)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "random"}, "strategy='random': expected one of margin"),
        ({"strategy": "margin"}, "needs labeled videos.*'core-set' does not"),
        ({"strategy": "core-set", "count": 0}, "count=0"),
    ],
    ids=str,
)
def test_invalid_arguments_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        rank_unlabeled(features=FEATURES, **arguments)
