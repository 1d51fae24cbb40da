"""From the settings of a zoo row to what `compile` takes."""

import keras

from keras_video.training.optimizers import SGD, Multiplier, tsm_multipliers
from keras_video.training.preparation import freeze_batch_norm
from keras_video.training.schedules import CosineSchedule, StepSchedule, Warmup


def row_optimizer(row, steps_per_epoch, *, epochs=None, learning_rate=None):
    """The optimizer of a row, with its schedule; the rate is the one for `row.batch_size`.

    Args:
        row: a `keras_video.zoo.Row` with training settings.
        steps_per_epoch: iterations of an epoch.
        epochs: length of the training if not the row's. Milestones and warm-up given in epochs
            move in proportion.
        learning_rate: rate at the start if not the row's.

    Raises:
        ValueError: if the row publishes no training.
    """
    settings = row.optimizer
    if settings is None:
        raise ValueError(f"{row.id} ({row.name}): no training settings are published.")
    multipliers = ()
    if settings.grouped:
        multipliers = tsm_multipliers(fc_lr5=settings.classifier_multiplier != 1)
    elif not settings.norm_decay:
        multipliers = (Multiplier(r"/(gamma|beta)$", weight_decay=0.0),)
    rate = learning_rate or settings.learning_rate
    return SGD(
        row_schedule(row, rate, steps_per_epoch, epochs or row.epochs),
        settings.momentum,
        settings.nesterov,
        settings.weight_decay,
        multipliers,
        global_clipnorm=row.gradient_clip,
    )


def row_schedule(row, learning_rate, steps_per_epoch, epochs):
    """The learning rate over a training, in iterations."""
    schedule = row.schedule
    stretch = epochs / row.epochs
    warmup = None
    if schedule.warmup is not None:
        length = schedule.warmup_length
        if schedule.warmup_by_epoch:
            length = round(length * stretch * steps_per_epoch)
        if length:
            warmup = Warmup(schedule.warmup, schedule.warmup_ratio, iterations=length)
    common = {"steps_per_epoch": steps_per_epoch, "by_epoch": schedule.by_epoch, "warmup": warmup}
    if schedule.policy == "step":
        milestones = sorted({max(1, round(step * stretch)) for step in schedule.steps})
        least = schedule.min_rate
        return StepSchedule(
            learning_rate, milestones, gamma=schedule.gamma, min_learning_rate=least, **common
        )
    least = schedule.min_rate
    if schedule.min_rate_ratio is not None:
        least = schedule.min_rate_ratio * learning_rate
    return CosineSchedule(learning_rate, epochs, min_learning_rate=least, **common)


def row_loss(row):
    """The loss of a row: cross-entropy over classes, or binary cross-entropy per class."""
    if row.loss is not None and row.loss.kind == "binary":
        return keras.losses.BinaryCrossentropy()
    return keras.losses.SparseCategoricalCrossentropy()


def freeze_norms(model, row):
    """Freezes the batch norms that the row freezes; before `compile`."""
    if row.norm.partial:
        freeze_batch_norm(model, except_first=True)
    elif row.norm.eval_mode or row.norm.frozen:
        freeze_batch_norm(model)
