"""Folds for cross-validation."""

import numpy as np


def stratified_folds(labels, folds, *, groups=None, seed=0):
    """The fold of every example: classes are spread evenly, groups stay together.

    Args:
        labels: class indices `(examples,)`.
        folds: number of folds; fewer are used if there are fewer groups.
        groups: a number per example; those with the same number, such as copies of a video, go into
            the same fold. If `None`, every example is its own group.
        seed: seed of the order in which groups are assigned.

    Returns:
        int64 `(examples,)`, starting from 0.

    Raises:
        ValueError: for fewer than 2 folds.
    """
    if folds < 2:
        raise ValueError(f"folds={folds}: expected at least 2.")
    labels = np.asarray(labels)
    groups = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    assignment = np.zeros(len(labels), np.int64)
    first = np.unique(groups, return_index=True)[1]
    assigned = 0
    for label in np.unique(labels):
        members = [group for group in rng.permutation(len(first)) if labels[first[group]] == label]
        for group in members:
            assignment[groups == group] = assigned % folds
            assigned += 1
    return assignment
