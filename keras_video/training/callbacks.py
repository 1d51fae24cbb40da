"""Callbacks for ``fit``: learning-rate scaling, the epoch of the data, and the standard list."""

import importlib.util
import math
from pathlib import Path

import keras
from absl import logging

from keras_video.callback_order import reads_logs
from keras_video.training.averaging import AveragedWeights
from keras_video.training.divergence import DivergedError, check_weights
from keras_video.training.records import BestCheckpoint, EpochLog
from keras_video.training.resume import resume_callbacks
from keras_video.training.schedules import ScaledSchedule


class LearningRateScaling(keras.callbacks.Callback):
    """Scales the learning rate with the batch size (arXiv:1706.02677).

    The optimizer's rate or schedule is taken to be for ``base_batch_size`` examples per step; at
    the start of training it is multiplied by ``global_batch_size / base_batch_size``. A constant
    rate is scaled only before the optimizer's first iteration, so that resuming or continuing to
    fit does not scale it twice. The rate at the end of every epoch is added to the logs as
    "learning_rate".

    Args:
        base_batch_size: examples per step that the rate was chosen for.
        global_batch_size: examples per step over all replicas (and accumulated steps).
        verbose: 1 prints the effective rate, 0 only logs it.
    """

    def __init__(self, base_batch_size, global_batch_size, verbose=1):
        super().__init__()
        if base_batch_size < 1 or global_batch_size < 1:
            raise ValueError(
                "LearningRateScaling: batch sizes must be at least 1, received "
                f"base_batch_size={base_batch_size}, global_batch_size={global_batch_size}"
            )
        self.base_batch_size = base_batch_size
        self.global_batch_size = global_batch_size
        self.verbose = verbose
        self._scaled = None

    def on_train_begin(self, logs=None):
        # A LossScaleOptimizer wraps the optimizer that holds the rate.
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        scale = self.global_batch_size / self.base_batch_size
        rate = optimizer._learning_rate
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            self._scale_schedule(optimizer, rate, scale)
        elif self._scaled is not optimizer and _number(optimizer.iterations) == 0:
            optimizer.learning_rate = _number(rate) * scale
        self._scaled = optimizer
        message = (
            f"Learning rate {_number(optimizer.learning_rate):g} in iteration "
            f"{_number(optimizer.iterations)}: specified for a batch size of "
            f"{self.base_batch_size}, scaled by {scale:g} for {self.global_batch_size}"
        )
        if self.verbose:
            print(message, flush=True)
        logging.info(message)

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            logs["learning_rate"] = _number(self.model.optimizer.learning_rate)

    def _scale_schedule(self, optimizer, schedule, scale):
        if isinstance(schedule, ScaledSchedule):
            if schedule.scale == scale:
                return
            schedule = schedule.schedule
        optimizer.learning_rate = ScaledSchedule(schedule, scale)
        # A train function compiled by an earlier fit holds the old schedule.
        self.model.make_train_function(force=True)


class EpochSeed(keras.callbacks.Callback):
    """Sets the data's epoch, which determines its order and augmentation.

    Required for an exact resume. The dataset must be one pass per epoch: a repeated dataset
    reads ahead into the next pass before its epoch is known.

    Args:
        epoch_counter: the ``keras_video.data.EpochCounter`` of the training data (any object with
            ``value``).
    """

    def __init__(self, epoch_counter):
        super().__init__()
        self.epoch_counter = epoch_counter

    def on_epoch_begin(self, epoch, logs=None):
        # Keras creates iterators that it does not use, so the count has to be set every epoch.
        self.epoch_counter.value = epoch


def _number(variable):
    """The value of a scalar, also of one mirrored over replicas, which `float()` does not take."""
    return keras.ops.convert_to_numpy(variable).item()


class StopWhenDiverged(keras.callbacks.Callback):
    """Stops training with an error when the loss or the weights are not finite.

    The loss is checked after every step, all variables of model and optimizer at the end of
    every epoch: before later callbacks save them, so that the previous epoch's backup remains the
    latest. A ``keras.optimizers.LossScaleOptimizer`` skips a step whose gradients overflow; loss
    and weights then stay finite, and training continues.

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
        check_weights(self.model, f"after {self._position()}")

    def _check_loss(self, logs):
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise DivergedError(
                f"The loss is {loss} in {self._position()}. This epoch is not saved: the previous "
                "epoch's backup remains. Try a lower learning rate or gradient clipping."
            )

    def _position(self):
        return f"epoch {self._epoch + 1}, step {self._step}"


def training_callbacks(
    work_dir,
    callbacks=(),
    *,
    evaluation=None,
    monitor="val_top1",
    mode="max",
    averaged=False,
    restore_from=None,
):
    """The callbacks of a training that can be killed and resumed, in the order they must run.

    They write to ``work_dir``: ``backup/`` (see ``resume_callbacks``), ``best.keras``,
    ``log.csv`` and, if TensorBoard is installed, ``tensorboard/``. A loss, weight or score that
    is not finite stops training with a ``DivergedError``.

    Args:
        work_dir: folder of the run.
        callbacks: additional callbacks, such as ``LearningRateScaling`` and ``EpochSeed``, called
            in this order; those that read the logs (``EarlyStopping``) run after the evaluation.
        evaluation: a ``MultiViewEvaluation``, or None.
        monitor: value in the logs that determines the best model, or None for no ``best.keras``.
        mode: "max" or "min", whichever is better.
        averaged: whether the moving average of the weights is evaluated and saved, see
            ``AveragedWeights``.
        restore_from: folder of the backup to resume from, if not ``work_dir / "backup"``.

    Returns:
        List of callbacks for ``fit``.
    """
    work_dir = Path(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    best = None
    if monitor is not None:
        best = BestCheckpoint(work_dir / "best.keras", monitor, mode)
    restore, backup = resume_callbacks(work_dir / "backup", best, restore_from)
    recorders = [EpochLog(work_dir / "log.csv", resumed=True)]
    if importlib.util.find_spec("tensorboard"):
        folder = str(work_dir / "tensorboard")
        recorders.append(keras.callbacks.TensorBoard(folder, write_graph=False))
    evaluators = [callback for callback in (evaluation, best) if callback is not None]
    if averaged and evaluators:
        evaluators = [AveragedWeights(evaluators)]
    callbacks = list(callbacks)
    log_readers = [callback for callback in callbacks if reads_logs(callback)]
    others = [callback for callback in callbacks if callback not in log_readers]
    return [restore, *others, StopWhenDiverged(), *evaluators, *log_readers, *recorders, backup]
