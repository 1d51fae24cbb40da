"""Clips for masked pretraining, and which of their tubelets are hidden."""

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

_CELL = 4  # places of a cell of 2 x 2
# Transforms draw from the seed folded with their position, masks from here on.
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
    """Clips without labels, and masks that hide a part of their tubelets.

    Clips and masks come from `(seed, epoch, index of the video)` alone: a run that is resumed at
    an epoch sees what an unbroken run sees.

    Args:
        records: sequence of `keras_video.data.Record`; their labels are not used.
        sampling: which frames are read, a sampler of `keras_video.data`.
        transforms: what happens to them, a sequence of clip transforms of `keras_video.data`.
        masks: `{name: mask}`, such as `{"mask": TubeMask(grid)}`.
        source: where the frames come from; None means `Videos()`.
        seed, repeats, on_error, report: see `dataset_from_records`.
        **options: `epoch`, `shuffle`, `batch_size`, `num_parallel_calls`, `deterministic` and
            `drop_remainder`, see there.

    Returns:
        A `tf.data.Dataset` of dictionaries: "clip", float32 `(batch, frames, height, width, 3)`
        after a `Normalize` transform, and bool `(batch, tubelets)` under the name of every mask.

    Raises:
        ValueError: options that contradict each other.
    """
    processing = dataclasses.replace(
        MaskedProcessing.of_transforms(sampling, transforms), masks=masks
    )
    options = LoaderOptions(training=True, multi_label=False, seed=seed, repeats=repeats,
                            on_error=on_error, report=report, **options)  # fmt: skip
    dataset = build_dataset(records, processing, Videos() if source is None else source, options)
    return dataset.map(lambda clip, drawn: {"clip": clip, **drawn})


@dataclasses.dataclass(frozen=True)
class MaskedProcessing(Processing):
    """As `Processing` of clips, with masks in place of labels.

    Attributes:
        masks: `{name: mask}`, masks as those below. Each draws from the example's seed.
    """

    masks: Mapping[str, Callable] = dataclasses.field(default_factory=dict)

    def transform(self, training, repeats=1):
        """The function from what was read of an example to (clip, masks), not normalized."""
        clip_transform = video_transform(self.transforms, self.view_frames, training)

        def masked(frames, label, seed, *plan):
            clip, _ = clip_transform(frames, label, seed, *plan)
            numbered = enumerate(self.masks.items(), _FIRST_MASK)
            return clip, {name: mask(fold_in(seed, number)) for number, (name, mask) in numbered}

        return masked if repeats == 1 else repeating(masked, repeats)


@dataclasses.dataclass(frozen=True)
class TubeMask:
    """Hides the same places at every point in time (VideoMAE, arXiv:2203.12602).

    Called with a seed it gives bool `(times * rows * columns,)`, true where a tubelet is hidden.

    Args:
        grid: `(times, rows, columns)` of tubelets.
        ratio: share of the places that are hidden, rounded down.

    Raises:
        ValueError: for a ratio that hides all places or none.
    """

    grid: tuple[int, int, int]
    ratio: float = 0.9

    def __post_init__(self):
        places = math.prod(self.grid[1:])
        if not 0 < _share(self.ratio, places) < places:
            raise ValueError(
                f"TubeMask: received grid={self.grid}, ratio={self.ratio}, expected at least one "
                "place that is hidden and one that is not"
            )

    def __call__(self, seed: Seed) -> tf.Tensor:
        times, rows, columns = self.grid
        places = rows * columns
        order = tf.argsort(tf.argsort(uniform(self, seed, places)))
        return tf.tile(order < _share(self.ratio, places), [times])


@dataclasses.dataclass(frozen=True)
class RunningCellMask:
    """Hides a share of every 2 x 2 places, moving on by a place with time (arXiv:2303.16727).

    Called with a seed it gives bool `(times * rows * columns,)`, true where a tubelet is hidden;
    the seed draws where the cells begin.

    Args:
        grid: `(times, rows, columns)` of tubelets, the last two even.
        ratio: share of the places that are hidden: 0.25, 0.5 or 0.75.

    Raises:
        ValueError: for other ratios or odd grids.
    """

    grid: tuple[int, int, int]
    ratio: float = 0.5

    def __post_init__(self):
        if not 0 < _share(self.ratio, _CELL) < _CELL or any(side % 2 for side in self.grid[1:]):
            raise ValueError(
                f"RunningCellMask: received grid={self.grid}, ratio={self.ratio}, expected even "
                "rows and columns, and 0.25, 0.5 or 0.75"
            )

    def __call__(self, seed: Seed) -> tf.Tensor:
        times, rows, columns = self.grid
        start = randint_below(uniform(self, seed, 1)[0], _CELL) + 1
        first = start + tf.range(times)[:, None]
        hidden = (first + tf.range(_CELL)) % _CELL < _share(self.ratio, _CELL)
        cells = tf.reshape(hidden, [times, 2, 2])
        return tf.reshape(tf.tile(cells, [1, rows // 2, columns // 2]), [-1])


def _share(ratio, count):
    """A share of a count, rounded down but for the error of floats."""
    return int(ratio * count + 1e-6)
