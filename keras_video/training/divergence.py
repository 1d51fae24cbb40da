"""Detection of diverged trainings: values that are not finite stop them before a save."""

import keras
import numpy as np


class DivergedError(ValueError):
    """A loss, a weight or a score is not a finite number."""


def check_weights(model, when):
    """Raises a DivergedError if variables of a model or its optimizer are not finite.

    Args:
        model: a built model.
        when: for the error message, such as "after epoch 3, step 12".
    """
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer is not None else ())]
    invalid = [variable.path for variable in variables if not _finite(variable)]
    if invalid:
        more = f" and {len(invalid) - 3} more" if len(invalid) > 3 else ""
        raise DivergedError(
            f"Variables are not finite {when}: {', '.join(invalid[:3])}{more}. They are not saved: "
            "the previous epoch's backup remains. Try a lower learning rate or gradient clipping."
        )


def check_scores(scores, first=0):
    """Raises a DivergedError if scores of videos are not finite.

    Args:
        scores: (videos, classes).
        first: number of videos that precede these.
    """
    invalid = np.flatnonzero(~np.isfinite(scores).all(axis=tuple(range(1, np.ndim(scores)))))
    if len(invalid):
        raise DivergedError(
            f"The scores of {len(invalid)} of {len(scores)} videos are not finite, first those of "
            f"video {first + invalid[0] + 1} of the list: expected numbers. The model has "
            "diverged, or its input is not finite."
        )


def _finite(variable):
    if not keras.backend.is_float_dtype(variable.dtype):
        return True
    return bool(np.isfinite(keras.ops.convert_to_numpy(variable)).all())
