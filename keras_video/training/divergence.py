"""Trainings that go wrong: what is not finite ends them before it is saved."""

import keras
import numpy as np


class DivergedError(ValueError):
    """A loss, a weight or a score is not a finite number."""


def check_weights(model, when):
    """Raises a DivergedError where variables of a model or its optimizer are not finite.

    Args:
        model: a built model.
        when: for the message, such as "after epoch 3, step 12".
    """
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer is not None else ())]
    wrong = [variable.path for variable in variables if not _finite(variable)]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise DivergedError(
            f"Variables are not finite {when}: {', '.join(wrong[:3])}{more}. They are not saved: "
            "the backup of the epoch before stays. Try a lower learning rate or clipped gradients."
        )


def check_scores(scores, first=0):
    """Raises a DivergedError where scores of videos are not finite.

    Args:
        scores: (videos, classes).
        first: number of videos before these.
    """
    wrong = np.flatnonzero(~np.isfinite(scores).all(axis=tuple(range(1, np.ndim(scores)))))
    if len(wrong):
        raise DivergedError(
            f"The scores of {len(wrong)} of {len(scores)} videos are not finite, first those of "
            f"video {first + wrong[0] + 1} of the list: expected numbers. The model has diverged, "
            "or its input is not finite."
        )


def _finite(variable):
    if not keras.backend.is_float_dtype(variable.dtype):
        return True
    return bool(np.isfinite(keras.ops.convert_to_numpy(variable)).all())
