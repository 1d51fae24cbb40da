"""Folds of a cross-validation."""

import numpy as np


def stratified_folds(labels, folds, *, groups=None, seed=0):
    """The fold of every example: classes are spread evenly, groups stay together.

    Args:
        labels: class indices `(examples,)`.
        folds: how many there are; fewer are used where there are fewer groups.
        groups: a number per example; those with the same number, such as copies of a video, get
            into the same fold. All are apart if `None`.
        seed: of the order in which examples are dealt out.

    Returns:
        int64 `(examples,)`, from 0 on.

    Raises:
        ValueError: for fewer than 2 folds.
    """
    if folds < 2:
        raise ValueError(f"folds={folds}: expected at least 2.")
    labels = np.asarray(labels)
    groups = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    found = np.zeros(len(labels), np.int64)
    first = np.unique(groups, return_index=True)[1]
    dealt = 0
    for label in np.unique(labels):
        own = [group for group in rng.permutation(len(first)) if labels[first[group]] == label]
        for group in own:
            found[groups == group] = dealt % folds
            dealt += 1
    return found
