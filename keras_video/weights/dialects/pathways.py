"""Transforms shared by the dialects of networks with one or two pathways."""

import re

import numpy as np

STAGES = range(1, 5)


def swap_halves(state, classifier, slow_width):
    """Reorders the classifier's columns: the fast pathway's features before the slow one's.

    The features are concatenated slow before fast in PyTorchVideo and in SlowFast's repository,
    and fast before slow here, as in MMAction2.

    Args:
        classifier: name of the classifier's kernel.
        slow_width: number of features of the slow pathway.
    """
    if classifier not in state:
        return state
    kernel = state[classifier]
    swapped = np.concatenate([kernel[:, slow_width:], kernel[:, :slow_width]], axis=1)
    return {**state, classifier: swapped}


def width_of(state, pattern):
    """The largest output width of kernels whose full name matches `pattern`; 0 if none does."""
    return max(
        (array.shape[0] for name, array in state.items() if re.fullmatch(pattern, name)), default=0
    )


def bottleneck_rules(convolution, norm):
    """Rules for the convolutions a, b, c of a bottleneck and their norms.

    Args:
        convolution, norm: functions from "a", "b" or "c" to the pattern of the module's name.
    """
    return tuple(
        rule
        for number, letter in enumerate("abc", 1)
        for rule in (
            (convolution(letter), f".conv{number}.conv."),
            (norm(letter), f".conv{number}.bn."),
        )
    )
