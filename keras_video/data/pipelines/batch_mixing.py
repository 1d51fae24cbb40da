"""Batch mixing: MixUp, CutMix, or a random choice of the two.

A batch mixing is a frozen dataclass, called with a batch of clips, their labels and a seed. It
returns clips and soft labels, float32 `(batch, classes)`. Clips are float32, `(batch, ..., height,
width, channels)`; all frames and views of a video are mixed identically. One mixing weight is drawn
per batch. `mixed_dataset` applies a batch mixing to the batches of a dataset, or to parts of them.
"""

import numbers
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from ..sampling import check_whole
from ..transforms.frames import Seed, dirichlet_weights, fold_in, frame_size, randint_below
from .epoch import EpochCounter
from .python_calls import numpy_function

Batch = tuple[tf.Tensor, tf.Tensor]


@dataclass(frozen=True)
class MixUp:
    """Weighted means of clips and labels (arXiv:1710.09412).

    Args:
        classes: number of classes.
        alpha: parameter of the beta distribution that the weight is drawn from.

    Raises:
        ValueError: for arguments out of range.
    """

    classes: int
    alpha: float = 0.2

    def __post_init__(self):
        _check_arguments(self)

    def __call__(self, clips: tf.Tensor, labels: tf.Tensor, seed: Seed) -> Batch:
        """The batch mixed with itself in another order."""
        batch = (clips, soft_labels(labels, self.classes))
        return self.mix(batch, _shuffled(batch, fold_in(seed, 0)), fold_in(seed, 1))

    def mix(self, batch: Batch, partners: Batch, seed: Seed) -> Batch:
        """A batch with soft labels mixed with another one as large."""
        return mixup(batch, partners, dirichlet_weights(seed, 2, self.alpha)[0])


@dataclass(frozen=True)
class CutMix:
    """Replaces a box of each frame with that of another clip (arXiv:1905.04899).

    Labels are weighted by area. Args and errors as in `MixUp`.
    """

    classes: int
    alpha: float = 0.2

    def __post_init__(self):
        _check_arguments(self)

    def __call__(self, clips: tf.Tensor, labels: tf.Tensor, seed: Seed) -> Batch:
        """The batch mixed with itself in another order."""
        batch = (clips, soft_labels(labels, self.classes))
        return self.mix(batch, _shuffled(batch, fold_in(seed, 0)), fold_in(seed, 1))

    def mix(self, batch: Batch, partners: Batch, seed: Seed) -> Batch:
        """A batch with soft labels mixed with another one as large."""
        draws = tf.random.stateless_uniform([2], fold_in(seed, 0))
        height, width = frame_size(batch[0])
        center = (randint_below(draws[0], height), randint_below(draws[1], width))
        weight = dirichlet_weights(seed, 2, self.alpha)[0]
        return cutmix(batch, partners, cut_box(weight, (height, width), center))


@dataclass(frozen=True)
class MixUpOrCutMix:
    """Mixes each batch with either MixUp or CutMix, chosen at random.

    Args:
        classes: number of classes.
        mixup_alpha, cutmix_alpha: `alpha` of each.
        cutmix_share: fraction of the batches that are mixed by `CutMix`.

    Raises:
        ValueError: for arguments out of range.
    """

    classes: int
    mixup_alpha: float = 0.8
    cutmix_alpha: float = 1.0
    cutmix_share: float = 0.5

    def __post_init__(self):
        for mixing in self.kinds():
            _check_arguments(mixing)
        if not isinstance(self.cutmix_share, numbers.Real) or not 0 <= self.cutmix_share <= 1:
            raise ValueError(
                f"MixUpOrCutMix: received cutmix_share={self.cutmix_share!r}, expected 0 to 1"
            )

    def kinds(self):
        """The `MixUp` and the `CutMix`."""
        return MixUp(self.classes, self.mixup_alpha), CutMix(self.classes, self.cutmix_alpha)

    def __call__(self, clips: tf.Tensor, labels: tf.Tensor, seed: Seed) -> Batch:
        """The batch mixed with itself in another order."""
        batch = (clips, soft_labels(labels, self.classes))
        return self.mix(batch, _shuffled(batch, fold_in(seed, 0)), fold_in(seed, 1))

    def mix(self, batch: Batch, partners: Batch, seed: Seed) -> Batch:
        """A batch with soft labels mixed with another one as large."""
        mixup, cutmix = self.kinds()
        use_cutmix = tf.random.stateless_uniform([], fold_in(seed, 2)) < self.cutmix_share
        clips, labels = tf.cond(
            use_cutmix,
            lambda: cutmix.mix(batch, partners, seed),
            lambda: mixup.mix(batch, partners, seed),
        )
        return tf.ensure_shape(clips, batch[0].shape), tf.ensure_shape(labels, batch[1].shape)


def mixup(batch: Batch, partners: Batch, weight) -> Batch:
    """The mean of two batches, of clips and soft labels, with `weight` for the first."""
    return tuple(
        weight * own + (1 - weight) * other for own, other in zip(batch, partners, strict=True)
    )


def cutmix(batch: Batch, partners: Batch, box) -> Batch:
    """Replaces the pixels inside a box with another batch's; labels are weighted by area.

    Args:
        box: top, left, bottom and right edge in pixels; the last two are exclusive.
    """
    clips, labels = batch
    top, left, bottom, right = box
    height, width = frame_size(clips)
    rows, columns = tf.range(height)[:, None], tf.range(width)[None, :]
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    mixed = tf.where(inside[..., None], partners[0], clips)
    area = tf.cast((bottom - top) * (right - left), tf.float32)
    weight = 1 - area / tf.cast(height * width, tf.float32)
    return mixed, weight * labels + (1 - weight) * partners[1]


def cut_box(weight, size, center):
    """The box that leaves a fraction `weight` of the frame, clipped to the frame.

    Args:
        weight: float32 scalar from 0 to 1.
        size: height and width of the frame in pixels.
        center: row and column of the center of the box.

    Returns:
        Top, left, bottom and right edge, int32 scalars.
    """
    side = tf.sqrt(1.0 - weight)
    half = [tf.cast(tf.cast(length, tf.float32) * side, tf.int32) // 2 for length in size]
    first = [tf.maximum(at - by, 0) for at, by in zip(center, half, strict=True)]
    last = [tf.minimum(at + by, length) for at, by, length in zip(center, half, size, strict=True)]
    return *first, *last


def soft_labels(labels, classes):
    """Float32 `(batch, classes)` from class indices `(batch,)`; multi-hot labels are only cast."""
    labels = tf.convert_to_tensor(labels)
    if labels.shape.rank == 1:
        return tf.one_hot(labels, classes)
    if labels.shape[-1] != classes:
        raise ValueError(
            f"received labels of shape {labels.shape}, expected (batch,) or (batch, {classes})"
        )
    return tf.cast(labels, tf.float32)


def mixed_dataset(dataset, mixing, *, seed=0, epoch=None, parts=1):
    """Applies a batch mixing to each batch of a dataset.

    The random draw of a batch depends only on the seed, the pass and the batch number.

    Args:
        dataset: batches of (clips, labels), as returned by `dataset_from_records`.
        mixing: a `MixUp`, `CutMix` or `MixUpOrCutMix`.
        seed: non-negative integer.
        epoch: the `EpochCounter` of the dataset, so that a resumed run repeats the draws of an
            uninterrupted one; None counts passes from 0.
        parts: number of parts of a batch to mix separately, each with its own weight. Set it to the
            number of replicas to reproduce published trainings, where each device mixed its part.

    Returns:
        A `tf.data.Dataset` of (clips, soft labels).

    Raises:
        ValueError: for fewer than one part.
    """
    if parts < 1:
        raise ValueError(f"mixed_dataset: received parts={parts!r}, expected 1 or more")
    dataset = tf.data.Dataset.zip((dataset, batch_seeds(seed, epoch)))
    return dataset.map(lambda batch, seed: mixed(mixing, batch, seed, parts)).prefetch(1)


def mixed(mixing, batch, seed, parts):
    """A batch whose consecutive parts are mixed separately; the last may be smaller."""
    if parts == 1:
        return mixing(*batch, seed)
    count = tf.shape(batch[1])[0]
    size = -(-count // parts)

    def part(number):
        first, last = tf.minimum(number * size, count), tf.minimum((number + 1) * size, count)
        clips, labels = (tensor[first:last] for tensor in batch)
        return mixing(clips, labels, fold_in(seed, number))

    mixed_parts = [part(number) for number in range(parts)]
    clips, labels = (tf.concat(tensors, axis=0) for tensors in zip(*mixed_parts, strict=True))
    clips.set_shape([batch[0].shape[0], *clips.shape[1:]])
    labels.set_shape([batch[0].shape[0], *labels.shape[1:]])
    return clips, labels


def batch_seeds(seed, epoch=None):
    """An infinite dataset of seeds, int32 `(2,)`; arguments as for `mixed_dataset`.

    Zip it after the dataset that uses `epoch`, so that it starts after that dataset's pass starts.
    """
    check_whole("seed", seed, 0)
    counter = EpochCounter()

    def begin(_):
        number = counter.take() if epoch is None else epoch.value - 1
        return np.random.SeedSequence([seed, number]).generate_state(2).view(np.int32)

    def start(number):
        # A stateful call: it runs at the start of every iteration.
        first = numpy_function(begin, [number], tf.int32)
        first.set_shape([2])
        return tf.data.Dataset.counter().map(lambda batch: fold_in(first, tf.cast(batch, tf.int32)))

    seeds = tf.data.Dataset.range(1).flat_map(start)
    return seeds.apply(tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY))


def _shuffled(batch, seed):
    order = tf.range(tf.shape(batch[0])[0])
    order = tf.random.experimental.stateless_shuffle(order, seed)
    return tuple(tf.gather(part, order) for part in batch)


def _check_arguments(mixing):
    name = type(mixing).__name__
    whole = isinstance(mixing.classes, numbers.Integral) and mixing.classes >= 1
    if not whole or not isinstance(mixing.alpha, numbers.Real) or not mixing.alpha > 0:
        raise ValueError(
            f"{name}: received classes={mixing.classes!r}, alpha={mixing.alpha!r}, expected "
            "an integer of at least 1 and a number above 0"
        )
