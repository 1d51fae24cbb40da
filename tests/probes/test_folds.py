import numpy as np
import pytest

from keras_video.probes.folds import stratified_folds


def test_classes_are_spread_evenly():
    labels = np.repeat([0, 1, 2], [20, 11, 5])
    folds = stratified_folds(labels, 5, seed=1)
    for label in range(3):
        counts = np.bincount(folds[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    totals = np.bincount(folds, minlength=5)
    assert totals.max() - totals.min() <= 1


def test_copies_stay_together_and_the_seed_decides():
    labels = np.repeat([0, 1], 20)
    groups = np.arange(40) // 4
    folds = stratified_folds(labels, 3, groups=groups)
    assert all(len(set(folds[groups == group])) == 1 for group in range(10))
    assert (stratified_folds(labels, 4, seed=0) != stratified_folds(labels, 4, seed=1)).any()
    assert (stratified_folds(labels, 4, seed=3) == stratified_folds(labels, 4, seed=3)).all()


def test_a_single_fold_is_none():
    with pytest.raises(ValueError, match="folds=1"):
        stratified_folds([0, 1], 1)
