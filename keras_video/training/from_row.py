"""Optimizer, loss, metrics and norms of a zoo row, as `compile` takes them."""

import keras

from keras_video.training.adamw import AdamW
from keras_video.training.losses import BinaryCrossentropy, SmoothedCrossentropy
from keras_video.training.optimizers import SGD, Multiplier, no_decay_pattern, tsm_multipliers
from keras_video.training.precise_bn import PreciseBatchNorm
from keras_video.training.preparation import (
    freeze_batch_norm,
    hold_statistics,
    synchronize_batch_norm,
)
from keras_video.training.rmsprop import RMSprop
from keras_video.training.schedules import CosineSchedule, StepSchedule, Warmup


def row_optimizer(
    row,
    steps_per_epoch,
    *,
    epochs=None,
    learning_rate=None,
    gradient_accumulation_steps=None,
    use_ema=False,
    ema_momentum=0.99,
):
    """The optimizer of a row, with its schedule; the rate is the one for `row.batch_size`.

    Args:
        row: a `keras_video.zoo.Row` with training settings.
        steps_per_epoch: iterations of an epoch.
        epochs: length of the training if not the row's. Milestones and warm-up given in epochs
            are scaled in proportion.
        learning_rate: initial rate if not the row's.
        gradient_accumulation_steps, use_ema, ema_momentum: see `keras.optimizers.Optimizer`.

    Raises:
        ValueError: if the row has no published training settings, or unsupported ones.
    """
    settings = row.optimizer
    if settings is None:
        raise ValueError(f"{row.id} ({row.name}): no training settings are published.")
    schedule = row_schedule(
        row, learning_rate or settings.learning_rate, steps_per_epoch, epochs or row.epochs
    )
    options = {
        "global_clipnorm": row.gradient_clip,
        "gradient_accumulation_steps": gradient_accumulation_steps,
        "use_ema": use_ema,
        "ema_momentum": ema_momentum,
    }
    multipliers = row_multipliers(settings)
    if settings.kind == "rmsprop":
        check_rmsprop(row)
        return RMSprop(
            schedule,
            settings.rho,
            settings.momentum,
            settings.epsilon,
            settings.weight_decay,
            multipliers,
            **{**options, "clipnorm": settings.clip_norm},
        )
    if settings.clip_norm is not None:
        raise ValueError(f"{row.id}: clip_norm={settings.clip_norm}: only with kind='rmsprop'.")
    if settings.kind == "adamw":
        check_adamw(row)
        return AdamW(
            schedule,
            settings.beta_1,
            settings.beta_2,
            settings.epsilon,
            settings.weight_decay,
            multipliers,
            settings.layer_decay,
            **options,
        )
    if settings.kind != "sgd":
        expected = "expected 'sgd', 'adamw' or 'rmsprop'"
        raise ValueError(f"{row.id}: optimizer kind={settings.kind!r}: {expected}.")
    return SGD(
        schedule,
        settings.momentum,
        settings.nesterov,
        settings.weight_decay,
        multipliers,
        **options,
    )


def row_multipliers(settings):
    """The `Multiplier`s of a row's `Optimizer`: variables with another rate or without decay."""
    if settings.grouped:
        return tsm_multipliers(fc_lr5=settings.classifier_multiplier != 1)
    pattern = no_decay_pattern(
        not settings.norm_decay, not settings.bias_decay, not settings.table_decay
    )
    body = settings.body_multiplier
    groups = () if pattern is None else (Multiplier(pattern, body, weight_decay=0.0),)
    if body == 1:
        return groups
    # The first pattern that matches applies.
    head = (Multiplier("(^|/)fc_cls/"),)
    if not settings.bias_decay:
        head = (Multiplier("(^|/)fc_cls/bias$", weight_decay=0.0), *head)
    return (*head, *groups, Multiplier("", body))


def check_adamw(row):
    """Rejects settings that AdamW does not have.

    Raises:
        ValueError: naming these settings.
    """
    settings = row.optimizer
    if settings.nesterov or settings.grouped:
        raise ValueError(
            f"{row.id}: adamw with nesterov={settings.nesterov}, grouped={settings.grouped}: "
            "expected neither."
        )


def check_rmsprop(row):
    """Rejects settings that RMSprop does not have.

    Raises:
        ValueError: naming these settings.
    """
    settings = row.optimizer
    if settings.nesterov or (settings.clip_norm and row.gradient_clip):
        raise ValueError(
            f"{row.id}: rmsprop with nesterov={settings.nesterov}, clip_norm={settings.clip_norm}, "
            f"gradient_clip={row.gradient_clip}: expected no nesterov and at most one clipping."
        )


def row_schedule(row, learning_rate, steps_per_epoch, epochs):
    """The learning-rate schedule of a training, in iterations."""
    schedule = row.schedule
    stretch = epochs / row.epochs
    warmup = None
    if schedule.warmup is not None:
        length = schedule.warmup_length
        if schedule.warmup_by_epoch:
            length *= stretch * steps_per_epoch
        length = round(length)
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
    if schedule.after_warmup and warmup is not None:
        common |= {"after_warmup": True, "flat_warmup": True}
    return CosineSchedule(learning_rate, epochs, min_learning_rate=least, **common)


def row_loss(row):
    """The loss of a row: cross-entropy over classes, or binary cross-entropy per class.

    Labels are class indices, probabilities if the row mixes clips, multi-hot for the binary loss.
    """
    smoothing = row.loss.label_smoothing
    if row.loss.kind == "binary":
        return BinaryCrossentropy(row.loss.weight, label_smoothing=smoothing)
    if smoothing:
        return SmoothedCrossentropy(smoothing)
    if row.mixup_alpha or row.cutmix_alpha:
        return keras.losses.CategoricalCrossentropy()
    return keras.losses.SparseCategoricalCrossentropy()


def row_losses(row):
    """The losses of all outputs of a row's training model, and their weights.

    Returns:
        `(losses, weights)`, lists of one entry, or of two for a row with an auxiliary classifier,
        which outputs logits.
    """
    # The binary loss includes its weight.
    weight = 1.0 if row.loss.kind == "binary" else row.loss.weight
    if not row.loss.auxiliary_weight:
        return [row_loss(row)], [weight]
    if row.loss.kind == "binary":
        auxiliary = BinaryCrossentropy(from_logits=True)
    elif row.mixup_alpha or row.cutmix_alpha:
        auxiliary = keras.losses.CategoricalCrossentropy(from_logits=True)
    else:
        auxiliary = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return [row_loss(row), auxiliary], [weight, row.loss.auxiliary_weight]


def row_metrics(row):
    """The training metrics: the accuracy of classes, or of each tag."""
    return ["binary_accuracy"] if row.loss.kind == "binary" else ["accuracy"]


def row_monitor(row):
    """The metric of `score_report` that determines a row's best model."""
    return "mean_average_precision" if row.loss.kind == "binary" else "top1"


def prepare_norms(model, row):
    """Prepares a model's batch norms as the row's training has them; call it before `compile`.

    Returns:
        The given model with norms frozen or synchronized; a new model if norms only keep their
        statistics.
    """
    if row.norm.partial:
        freeze_batch_norm(model, except_first=True)
    elif row.norm.frozen:
        freeze_batch_norm(model)
    elif row.norm.eval_mode:
        return hold_statistics(model)
    if row.norm.synchronized and replicas_in_sync() > 1:
        synchronize_batch_norm(model)
    return model


def replicas_in_sync():
    """Number of replicas of the current TensorFlow strategy; 1 on other backends."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def row_precise_norm(row, dataset):
    """The callbacks that recompute norm statistics from `dataset`, if the row uses precise BN."""
    if row.precise_bn is None:
        return []
    return [PreciseBatchNorm(dataset, row.precise_bn.iterations, row.precise_bn.interval)]
