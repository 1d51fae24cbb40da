"""Trainings that go wrong: what is not finite ends them before it is saved."""

import math

import keras
import numpy as np


class DivergedError(ValueError):
    """A loss, a weight or a score is not a finite number."""


class StopWhenDiverged(keras.callbacks.Callback):
    """Ends a training with an error when its loss or its weights are not finite.

    The loss is looked at after every step, all variables of model and optimizer at the end of
    every epoch: before the callbacks behind this one save them, so that the backup of the epoch
    before stays the last one. A step whose gradients overflow is left out by a
    ``keras.optimizers.LossScaleOptimizer``; loss and weights are finite then, and nothing ends.

    Raises:
        DivergedError: naming epoch and step, both counted from 1.
    """

    def __init__(self):
        super().__init__()
        self._epoch = 0
        self._step = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._step = epoch, 0

    def on_train_batch_end(self, batch, logs=None):
        self._step = batch + 1
        self._check_loss(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._check_loss(logs)
        check_weights(self.model, f"after {self._place()}")

    def _check_loss(self, logs):
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise DivergedError(
                f"The loss is {loss} in {self._place()}. Nothing of this epoch is saved: the "
                "backup of the epoch before stays. Try a lower learning rate or clipped gradients."
            )

    def _place(self):
        return f"epoch {self._epoch + 1}, step {self._step}"


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
