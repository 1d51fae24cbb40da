"""Several datasets in one training, and how often examples are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from ..annotations.parsing import Record
from ..sampling import check_whole
from .batch_mixing import batch_seeds, soft_labels
from .epoch import EpochCounter
from .passes import nominal_length
from .python_calls import numpy_function


def repeated(records: Sequence[Record], times: int) -> tuple[Record, ...]:
    """Every record `times` times, each time an example with draws of its own.

    An epoch of a small dataset gets as long as one of a large dataset.

    Raises:
        ValueError: for a number of times below 1.
    """
    check_whole("times", times, 1)
    return tuple(records) * times


@dataclass(frozen=True)
class ClassBalanced:
    """Draws a class, then one of its examples; the `shuffle` of `dataset_from_records`.

    A pass has as many examples as there are records; some come several times, each time with
    draws of their own, others not at all.

    Args:
        power: classes are drawn in proportion to (number of their examples) ** power: 0 draws all
            classes equally often, 1 all examples.

    Raises:
        ValueError: for a negative power, or when called with records of several labels.
    """

    power: float = 0.0

    def __post_init__(self):
        if self.power < 0:
            raise ValueError(f"ClassBalanced: received power={self.power!r}, expected 0 or more")

    def weights(self, records: Sequence[Record]) -> np.ndarray:
        """The share of draws that each record gets, float64; they add up to 1."""
        for record in records:
            if len(record.labels) != 1:
                raise ValueError(
                    f"{record.source}: received labels {record.labels}, expected one label, since "
                    "classes are drawn"
                )
        labels = np.array([record.labels[0] for record in records])
        _, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
        weights = counts[places] ** (self.power - 1.0)
        return weights / weights.sum()

    def __call__(self, records: Sequence[Record], generator: np.random.Generator) -> np.ndarray:
        """The examples of a pass, int64.

        The second time that record i comes it is example `i + len(records)`, and so on.
        """
        count = len(records)
        drawn = generator.choice(count, count, p=self.weights(records))
        order = np.argsort(drawn, kind="stable")
        ordered = drawn[order]
        times = np.empty(count, np.int64)
        times[order] = np.arange(count) - np.searchsorted(ordered, ordered)
        return drawn + times * count


@dataclass(frozen=True)
class MixSource:
    """A dataset of a joint training.

    Args:
        dataset: batches of (clips, labels), as `dataset_from_records` gives them.
        ratio: of the first part, its batches from one round to the next; of another, its batches
            in a round.
        epoch: the `EpochCounter` that the dataset was made with, one for each part.

    Raises:
        ValueError: for a ratio that is no whole number of at least 1.
    """

    dataset: tf.data.Dataset
    ratio: int = 1
    epoch: EpochCounter | None = None

    def __post_init__(self):
        check_whole("ratio", self.ratio, 1, "Part")


def joint_dataset(parts: Sequence[MixSource]) -> tf.data.Dataset:
    """Batches of several datasets in turn, as OmniSource trains (arXiv:2003.13042).

    The first part is the one that is evaluated on: a pass takes each of its batches once. After
    its first batch, and then after every `ratio` of its batches, the other parts give theirs; they
    begin again when they end. With ratios of 2, 1, 1 a pass reads 0 1 2 0 0 1 2 0 0 1 2 ...

    Batches may differ in their number of examples, but not in the shape of a clip or in the kind
    of labels. With an `epoch` in every part, and where their lengths are known, a pass depends on
    the first part's epoch alone, so that a resumed run sees the data of an unbroken one.

    Raises:
        ValueError: for no parts, or for an empty one.
    """
    if not parts or any(one.dataset.cardinality() == 0 for one in parts):
        raise ValueError(f"received parts={parts!r}, expected at least one, and none empty")
    first, *others = parts
    turns = [0, *np.repeat(np.arange(1, len(parts)), [one.ratio for one in others])]
    turns = np.array(turns + [0] * (first.ratio - 1), np.int64)
    datasets = [first.dataset, *(one.dataset.repeat() for one in others)]
    passes = _passes(parts)

    def begin(_):
        for one, count in zip(others, passes, strict=True):
            one.epoch.value = first.epoch.value * count
        return np.int64(0)

    def start(number):
        if passes:
            # A stateful call: it runs each time that an iteration starts.
            numpy_function(begin, [number], tf.int64)
        choices = tf.data.Dataset.from_tensor_slices(turns).repeat()
        return tf.data.Dataset.choose_from_datasets(datasets, choices)

    joint = tf.data.Dataset.range(1).flat_map(start)
    length = int(first.dataset.cardinality())
    if length > 0:
        length += _rounds(parts) * sum(one.ratio for one in others)
    return joint if length < 0 else nominal_length(joint, length)


def cross_mixed_dataset(dataset, partners, mixing, *, seed=0, epoch=None):
    """Batches of a dataset, each mixed with a batch of another one (arXiv:2003.13042).

    Args:
        dataset: batches of (clips, labels) as `dataset_from_records` gives them.
        partners: batches at least as large, of clips of the same shape; begins again when it ends.
        mixing: a `MixUp` or `CutMix`.
        seed: non-negative integer.
        epoch: as for `mixed_dataset`.

    Returns:
        A `tf.data.Dataset` of (clips, soft labels).
    """

    def mix(batch, others, seed):
        clips, labels = batch
        count = tf.shape(clips)[0]
        message = "the batches to mix with have fewer examples than those of the dataset"
        # Else the mixing may run first and fail with an error of its own.
        fits = tf.debugging.assert_less_equal(count, tf.shape(others[0])[0], message)
        with tf.control_dependencies([fits]):
            clips, labels = tf.identity(clips), tf.identity(labels)
        labels, other_labels = (soft_labels(one, mixing.classes) for one in (labels, others[1]))
        return mixing.mix((clips, labels), (others[0][:count], other_labels[:count]), seed)

    together = (dataset, partners.repeat(), batch_seeds(seed, epoch))
    return tf.data.Dataset.zip(together).map(mix).prefetch(1)


def _rounds(parts):
    """How often the other parts give their batches in a pass."""
    return -(-int(parts[0].dataset.cardinality()) // parts[0].ratio)


def _passes(parts):
    """Passes over each of the other parts that one pass over the first takes; None if unknown."""
    lengths = [int(one.dataset.cardinality()) for one in parts]
    if len(parts) == 1 or min(lengths) < 0 or any(one.epoch is None for one in parts):
        return None
    batches = [_rounds(parts) * one.ratio for one in parts[1:]]
    return [-(-count // length) for count, length in zip(batches, lengths[1:], strict=True)]
