"""What ``fit`` is given: learning-rate scaling, the epoch for the data, and the usual list."""

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

    The rate or schedule of the optimizer is the one for ``base_batch_size`` examples per step;
    at the start of training it is multiplied by ``global_batch_size / base_batch_size``. A
    number is scaled only before the optimizer's first iteration, so a training that is resumed
    or fitted further is not scaled twice. The rate at the end of every epoch is added to the
    logs as "learning_rate".

    Args:
        base_batch_size: examples per step that the rate is meant for.
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
        # A LossScaleOptimizer wraps the one that holds the rate.
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
            f"{_number(optimizer.iterations)}: given for batches of {self.base_batch_size}, scaled "
            f"by {scale:g} to batches of {self.global_batch_size}"
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
        # A step compiled by an earlier fit holds the old schedule.
        self.model.make_train_function(force=True)


class EpochSeed(keras.callbacks.Callback):
    """Tells the data which epoch begins, so that its order and augmentation follow from it.

    Needed for an exact resume. The dataset must be one pass per epoch: one that is repeated
    reads ahead into the next pass before its epoch is known.

    Args:
        epoch_counter: the ``keras_video.data.EpochCounter`` of the training data (any object with
            ``value``).
    """

    def __init__(self, epoch_counter):
        super().__init__()
        self.epoch_counter = epoch_counter

    def on_epoch_begin(self, epoch, logs=None):
        # Keras makes iterators it does not use; the count is right only when set every time.
        self.epoch_counter.value = epoch


def _number(variable):
    """The value of a scalar; one that is mirrored over replicas has no `float()` of its own."""
    return keras.ops.convert_to_numpy(variable).item()


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
    """The callbacks of a training that can be killed and started again, in working order.

    They leave in ``work_dir``: ``backup/`` (see ``resume_callbacks``), ``best.keras``,
    ``log.csv`` and, where TensorBoard is installed, ``tensorboard/``. A loss, a
    weight or a score that is not finite ends the training with a ``DivergedError``.

    Args:
        work_dir: folder of the run.
        callbacks: own callbacks, such as ``LearningRateScaling`` and ``EpochSeed``, in the order
            wanted; those that read the logs (``EarlyStopping``) are called after the evaluation.
        evaluation: a ``MultiViewEvaluation``, or None.
        monitor: value in the logs that tells the best model, or None for no ``best.keras``.
        mode: whether the best is the "max" or the "min".
        averaged: whether the moving average of the weights is evaluated and kept, see
            ``AveragedWeights``.
        restore_from: folder of the backup to take up, if not ``work_dir / "backup"``.

    Returns:
        List of callbacks for ``fit``.
    """
    work_dir = Path(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    best = None
    if monitor is not None:
        best = BestCheckpoint(work_dir / "best.keras", monitor, mode)
    restore, backup = resume_callbacks(work_dir / "backup", best, restore_from)
    recorded = [EpochLog(work_dir / "log.csv", resumed=True)]
    if importlib.util.find_spec("tensorboard"):
        folder = str(work_dir / "tensorboard")
        recorded.append(keras.callbacks.TensorBoard(folder, write_graph=False))
    judged = [callback for callback in (evaluation, best) if callback is not None]
    if averaged and judged:
        judged = [AveragedWeights(judged)]
    callbacks = list(callbacks)
    readers = [one for one in callbacks if reads_logs(one)]
    others = [one for one in callbacks if one not in readers]
    return [restore, *others, StopWhenDiverged(), *judged, *readers, *recorded, backup]
