"""Clips for masked pretraining, and masks of their tubelets."""

import dataclasses
import math
from collections.abc import Callable, Mapping

import tensorflow as tf

from ..sources.videos import Videos
from ..transforms.frames import Seed, fold_in, randint_below, uniform
from .building import build_dataset
from .options import LoaderOptions
from .processing import Processing, video_transform
from .repeating import repeating

_CELL = 4  # positions in a 2 x 2 cell
# Number folded into the seed for the first mask; lower numbers are positions of transforms.
_FIRST_MASK = 1000


def masked_dataset(
    records,
    *,
    sampling,
    transforms,
    masks,
    source=None,
    seed=0,
    repeats=1,
    on_error="raise",
    report=None,
    **options,
):
    """Clips without labels, with masks that hide part of their tubelets.

    Clips and masks depend only on `(seed, epoch, index of the video)`: a run resumed at an epoch
    receives the data of an uninterrupted run.

    Args:
        records: sequence of `keras_video.data.Record`; their labels are ignored.
        sampling: a sampler of `keras_video.data` that selects the frames to read.
        transforms: sequence of clip transforms of `keras_video.data`.
        masks: `{name: mask}`, such as `{"mask": TubeMask(grid)}`.
        source: the source that opens the examples; None means `Videos()`.
        seed, repeats, on_error, report: see `dataset_from_records`.
        **options: `epoch`, `shuffle`, `batch_size`, `num_parallel_calls`, `deterministic` and
            `drop_remainder`, see there.

    Returns:
        A `tf.data.Dataset` of dictionaries: "clip", float32 `(batch, frames, height, width, 3)`
        after a `Normalize` transform, and bool `(batch, tubelets)` under the name of each mask.

    Raises:
        ValueError: for options that contradict each other.
    """
    processing = dataclasses.replace(
        MaskedProcessing.of_transforms(sampling, transforms), masks=masks
    )
    options = LoaderOptions(training=True, multi_label=False, seed=seed, repeats=repeats,
                            on_error=on_error, report=report, **options)  # fmt: skip
    dataset = build_dataset(records, processing, Videos() if source is None else source, options)
    return dataset.map(lambda clip, masks: {"clip": clip, **masks})


@dataclasses.dataclass(frozen=True)
class MaskedProcessing(Processing):
    """`Processing` of clips with masks in place of labels.

    Attributes:
        masks: `{name: mask}`, of masks like those below. Each draws from the example's seed.
    """

    masks: Mapping[str, Callable] = dataclasses.field(default_factory=dict)

    def transform(self, training, repeats=1):
        """The function that transforms an example to (clip, masks), without normalization."""
        clip_transform = video_transform(self.transforms, self.view_frames, training)

        def masked(frames, label, seed, *plan):
            clip, _ = clip_transform(frames, label, seed, *plan)
            numbered = enumerate(self.masks.items(), _FIRST_MASK)
            return clip, {name: mask(fold_in(seed, number)) for number, (name, mask) in numbered}

        return masked if repeats == 1 else repeating(masked, repeats)


@dataclasses.dataclass(frozen=True)
class TubeMask:
    """Hides the same positions at all time steps (VideoMAE, arXiv:2203.12602).

    Called with a seed, it returns bool `(times * rows * columns,)`, True for hidden tubelets.

    Args:
        grid: `(times, rows, columns)` of tubelets.
        ratio: fraction of the positions that are hidden, rounded down.

    Raises:
        ValueError: for a ratio that hides all positions or none.
    """

    grid: tuple[int, int, int]
    ratio: float = 0.9

    def __post_init__(self):
        positions = math.prod(self.grid[1:])
        if not 0 < _floor_fraction(self.ratio, positions) < positions:
            raise ValueError(
                f"TubeMask: received grid={self.grid}, ratio={self.ratio}, expected at least one "
                "hidden and one visible position"
            )

    def __call__(self, seed: Seed) -> tf.Tensor:
        times, rows, columns = self.grid
        positions = rows * columns
        order = tf.argsort(tf.argsort(uniform(self, seed, positions)))
        return tf.tile(order < _floor_fraction(self.ratio, positions), [times])


@dataclasses.dataclass(frozen=True)
class RunningCellMask:
    """Hides part of every 2 x 2 cell, moving by one position per time step (arXiv:2303.16727).

    Called with a seed, it returns bool `(times * rows * columns,)`, True for hidden tubelets; the
    seed selects the position at which cells begin.

    Args:
        grid: `(times, rows, columns)` of tubelets, the last two even.
        ratio: fraction of the positions that are hidden: 0.25, 0.5 or 0.75.

    Raises:
        ValueError: for other ratios or odd grids.
    """

    grid: tuple[int, int, int]
    ratio: float = 0.5

    def __post_init__(self):
        if not 0 < _floor_fraction(self.ratio, _CELL) < _CELL or any(
            side % 2 for side in self.grid[1:]
        ):
            raise ValueError(
                f"RunningCellMask: received grid={self.grid}, ratio={self.ratio}, expected even "
                "rows and columns, and 0.25, 0.5 or 0.75"
            )

    def __call__(self, seed: Seed) -> tf.Tensor:
        times, rows, columns = self.grid
        start = randint_below(uniform(self, seed, 1)[0], _CELL) + 1
        first = start + tf.range(times)[:, None]
        hidden = (first + tf.range(_CELL)) % _CELL < _floor_fraction(self.ratio, _CELL)
        cells = tf.reshape(hidden, [times, 2, 2])
        return tf.reshape(tf.tile(cells, [1, rows // 2, columns // 2]), [-1])


def _floor_fraction(ratio, count):
    """A fraction of a count, rounded down with a tolerance for floating-point errors."""
    return int(ratio * count + 1e-6)
