"""The row of a run with its settings applied."""

import dataclasses

from absl import logging

from keras_video import zoo
from keras_video.zoo.protocol import VIDEO, modality
from keras_video.zoo.small_data import changed_settings


def resolve_row(settings):
    """The row that the settings name, with their size and views, and with training settings.

    Args:
        settings: the `RunSettings`.

    Raises:
        ValueError: for a row without a network, or with conflicting settings.
    """
    row = zoo.row(settings.row)
    if row.constructor is None:
        row.model()  # raises and says why there is none
    if settings.size:
        row = zoo.resized(row, settings.size)
    if settings.views:
        row = zoo.with_views(row, *settings.views)
    row = zoo.trainable(row)
    if settings.small_data:
        row = small_data_row(row, settings.weights is not None)
    if row.classes is None:
        # Feature extractors are trained with the classifier that they were published with.
        arguments = {name: value for name, value in row.arguments.items() if name != "include_top"}
        row = dataclasses.replace(
            row, arguments=arguments, score_average=row.score_average or "prob"
        )
    check_combination(row, settings)
    logging.info("Row %s (%s)", row.id, row.name)
    return row


def small_data_row(row, pretrained):
    """`row` adapted by `keras_video.zoo.for_small_data`; prints the changes."""
    small = zoo.for_small_data(row, pretrained)
    changed = changed_settings(row, small)
    print(f"--small_data changes in {row.name}: {'; '.join(changed) or 'nothing'}")
    return small


def check_combination(row, settings):
    """Raises a ValueError for settings of a row or its run that cannot be combined.

    All settings that are not named here can be combined freely.
    """
    kind = modality(row)
    used = {
        "multigrid": row.multigrid is not None and not settings.dry_run,
        "joint": bool(row.joint),
        "mixup_alpha or cutmix_alpha": row.mixup_alpha is not None or row.cutmix_alpha is not None,
        "loss.auxiliary_weight": bool(row.loss.auxiliary_weight),
        "normalize.where='device'": row.normalize is not None and row.normalize.where == "device",
        "norm.partial, frozen or eval_mode": any(
            (row.norm.partial, row.norm.frozen, row.norm.eval_mode)
        ),
        "audio": kind != VIDEO,
        "accumulate": settings.accumulate is not None,
        "ema": settings.ema is not None or row.ema is not None,
        "repeated_augmentation": row.repeated_augmentation > 1,
        "random_erasing": _erases(row),
        "an optimizer other than sgd": row.optimizer.kind != "sgd",
        "early_stopping": settings.early_stopping is not None,
    }
    for first, others in _CONFLICTS.items():
        for second in others:
            if used[first] and used[second]:
                raise ValueError(
                    f"{row.id} ({row.name}): {first} together with {second} is not supported; "
                    "expected at most one of the two."
                )
    if (settings.joint_lists or settings.joint_roots) and not row.joint:
        raise ValueError(
            f"joint_lists={settings.joint_lists} joint_roots={settings.joint_roots}: "
            f"{row.name} is trained on one source."
        )


# Multigrid rebuilds its batches and its model for every shape; clips of a joint training differ
# in shape, so they cannot be mixed with each other.
_CONFLICTS = {
    "multigrid": (
        "joint",
        "mixup_alpha or cutmix_alpha",
        "loss.auxiliary_weight",
        "norm.partial, frozen or eval_mode",
        "audio",
        "accumulate",
        "ema",
        "repeated_augmentation",
        "an optimizer other than sgd",
        "early_stopping",
    ),
    "joint": ("mixup_alpha or cutmix_alpha", "audio", "repeated_augmentation"),
    "audio": (
        "mixup_alpha or cutmix_alpha",
        "normalize.where='device'",
        "repeated_augmentation",
        "random_erasing",
    ),
    "normalize.where='device'": ("random_erasing",),
}


def _erases(row):
    training = row.spatial.train if row.spatial else None
    return training is not None and training.random_erasing is not None


def for_classes(row, count):
    """`row` for a user's own lists, without label swaps on mirroring that belong to its dataset.

    If `count` differs from the row's number of classes, or the row is an example, mirrored clips
    keep their labels; a warning is logged.
    """
    pairs = row.spatial.train.flip_labels if row.spatial and row.spatial.train else ()
    if not pairs or (count == row.classes and row.kind != "example"):
        return row
    logging.warning(
        "%s mirrors clips and swaps the labels %s of %s. Labels of other data are kept.",
        row.name, " ".join(f"{a}-{b}" for a, b in pairs), row.dataset,
    )  # fmt: skip
    train = dataclasses.replace(row.spatial.train, flip_labels=())
    return dataclasses.replace(row, spatial=dataclasses.replace(row.spatial, train=train))


def model_input_shape(row):
    """The clip shape of a row, unknown (None) where training and testing differ."""
    pairs = zip(row.input_shape, row.test_input_shape, strict=True)
    return tuple(train if train == test else None for train, test in pairs)


def row_batch_size(row, copies):
    """Videos per step of the row's training on this number of replicas.

    Raises:
        ValueError: for a row without a batch size.
    """
    if row.batch_size_per_device is None:
        raise ValueError(f"{row.id} ({row.name}) has no batch size: set --batch_size.")
    return row.batch_size_per_device * copies
