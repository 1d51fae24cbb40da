"""Joint training on several datasets, and resampling of examples."""

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
    """Repeats all records `times` times; each repetition is an example with its own random draws.

    This makes the epochs of a small dataset as long as those of a large one.

    Raises:
        ValueError: for `times` below 1.
    """
    check_whole("times", times, 1)
    return tuple(records) * times


@dataclass(frozen=True)
class ClassBalanced:
    """Draws a class, then one of its examples; the `shuffle` of `dataset_from_records`.

    A pass has as many examples as there are records: some records occur several times, each time
    with different random draws, others not at all.

    Args:
        power: classes are drawn with probability proportional to (number of examples) ** power: 0
            draws all classes equally often, 1 all examples.

    Raises:
        ValueError: for a negative power, or when called with records of several labels.
    """

    power: float = 0.0

    def __post_init__(self):
        if self.power < 0:
            raise ValueError(f"ClassBalanced: received power={self.power!r}, expected 0 or more")

    def weights(self, records: Sequence[Record]) -> np.ndarray:
        """The probability of drawing each record, float64; they add up to 1."""
        for record in records:
            if len(record.labels) != 1:
                raise ValueError(
                    f"{record.source}: received labels {record.labels}, expected one label, since "
                    "classes are drawn"
                )
        labels = np.array([record.labels[0] for record in records])
        _, classes, counts = np.unique(labels, return_inverse=True, return_counts=True)
        weights = counts[classes] ** (self.power - 1.0)
        return weights / weights.sum()

    def __call__(self, records: Sequence[Record], generator: np.random.Generator) -> np.ndarray:
        """The examples of a pass, int64.

        The second occurrence of record i is example `i + len(records)`, and so on.
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
    """One dataset of a joint training.

    Args:
        dataset: batches of (clips, labels), as returned by `dataset_from_records`.
        ratio: for the first part, the number of its batches per round; for the others, the number
            of their batches in a round.
        epoch: the `EpochCounter` of the dataset, a separate one for each part.

    Raises:
        ValueError: for a ratio that is not an integer of at least 1.
    """

    dataset: tf.data.Dataset
    ratio: int = 1
    epoch: EpochCounter | None = None

    def __post_init__(self):
        check_whole("ratio", self.ratio, 1, "MixSource")


def joint_dataset(parts: Sequence[MixSource]) -> tf.data.Dataset:
    """Alternates batches of several datasets, as in OmniSource (arXiv:2003.13042).

    The first part is the target dataset: a pass uses each of its batches once. After its first
    batch, and then after every `ratio` of its batches, the other parts contribute theirs; they
    restart when exhausted. With ratios of 2, 1, 1 a pass reads 0 1 2 0 0 1 2 0 0 1 2 ...

    Batches may differ in size, but not in the shape of clips or the type of labels. If every part
    has an `epoch` and a known length, a pass depends only on the first part's epoch, so a resumed
    run receives the data of an uninterrupted one.

    Raises:
        ValueError: if there are no parts, or one is empty.
    """
    if not parts or any(part.dataset.cardinality() == 0 for part in parts):
        raise ValueError(f"received parts={parts!r}, expected at least one, and none empty")
    first, *others = parts
    turns = [0, *np.repeat(np.arange(1, len(parts)), [part.ratio for part in others])]
    turns = np.array(turns + [0] * (first.ratio - 1), np.int64)
    datasets = [first.dataset, *(part.dataset.repeat() for part in others)]
    passes = _passes(parts)

    def begin(_):
        for part, count in zip(others, passes, strict=True):
            part.epoch.value = first.epoch.value * count
        return np.int64(0)

    def start(number):
        if passes:
            # A stateful call: it runs at the start of every iteration.
            numpy_function(begin, [number], tf.int64)
        choices = tf.data.Dataset.from_tensor_slices(turns).repeat()
        return tf.data.Dataset.choose_from_datasets(datasets, choices)

    joint = tf.data.Dataset.range(1).flat_map(start)
    length = int(first.dataset.cardinality())
    if length > 0:
        length += _rounds(parts) * sum(part.ratio for part in others)
    return joint if length < 0 else nominal_length(joint, length)


def cross_mixed_dataset(dataset, partners, mixing, *, seed=0, epoch=None):
    """Mixes each batch of a dataset with a batch of another one (arXiv:2003.13042).

    Args:
        dataset: batches of (clips, labels), as returned by `dataset_from_records`.
        partners: batches of at least the same size, of clips of the same shape; restarts when
            exhausted.
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
        # Otherwise the mixing may run first and fail with a less helpful error.
        fits = tf.debugging.assert_less_equal(count, tf.shape(others[0])[0], message)
        with tf.control_dependencies([fits]):
            clips, labels = tf.identity(clips), tf.identity(labels)
        labels, other_labels = (soft_labels(value, mixing.classes) for value in (labels, others[1]))
        return mixing.mix((clips, labels), (others[0][:count], other_labels[:count]), seed)

    datasets = (dataset, partners.repeat(), batch_seeds(seed, epoch))
    return tf.data.Dataset.zip(datasets).map(mix).prefetch(1)


def _rounds(parts):
    """How often the other parts contribute their batches in a pass."""
    return -(-int(parts[0].dataset.cardinality()) // parts[0].ratio)


def _passes(parts):
    """Passes over each of the other parts per pass over the first; None if unknown."""
    lengths = [int(part.dataset.cardinality()) for part in parts]
    if len(parts) == 1 or min(lengths) < 0 or any(part.epoch is None for part in parts):
        return None
    batches = [_rounds(parts) * part.ratio for part in parts[1:]]
    return [-(-count // length) for count, length in zip(batches, lengths[1:], strict=True)]
