"""Multigrid training (arXiv:1912.00998): large batches of small clips first."""

import dataclasses

# The published warm-up: its epochs, and its initial rate for a batch of full-size clips.
WARMUP_EPOCHS, WARMUP_RATE = 34, 0.01


@dataclasses.dataclass(frozen=True)
class Grid:
    """The shape of training clips over a range of epochs.

    Attributes:
        step: number of learning-rate drops before this shape.
        batch_factor: batch size as a multiple of that of the full shape.
        frames, side: size of a clip, in frames and pixels.
        end: the first epoch (counted from 0) that no longer has this shape.
    """

    step: int
    batch_factor: int
    frames: int
    side: int
    end: int


def long_cycle(settings, epochs, rate_steps, frames, side):
    """The clip shapes of a training: one cycle per learning rate, the last one at full size.

    Args:
        settings: a `zoo.Multigrid` (or anything with its attributes).
        epochs: of the training without multigrid.
        rate_steps: the epochs of that training at which its rate drops.
        frames, side: of the full-size clip.

    Returns:
        A list of `Grid`, in order.
    """
    shapes = [
        (round(frames * time), round(side * space)) for time, space in settings.long_cycle_factors
    ]
    if not settings.long_cycle:
        shapes = shapes[-1:]
    full = frames * side**2
    cycles = [(count, cycle_sides(settings, base, side)) for count, base in shapes]
    means = [  # of the batch size over a short cycle, as a multiple of that of the full shape
        sum(round(full / (count * size**2)) for size in sizes) / len(sizes)
        for count, sizes in cycles
    ]
    steps = [0, *rate_steps]
    parts = []  # (step, shape, epochs before scaling)
    for step, (start, end) in enumerate(zip(steps, steps[1:], strict=False)):
        for shape, mean in zip(shapes, means, strict=True):
            parts.append((step, shape, (end - start) * mean / sum(means)))
    # The iterations of an epoch are inversely proportional to its batch size.
    iterations = sum(
        length / means[index % len(means)] for index, (_, _, length) in enumerate(parts)
    )
    saving = steps[-1] / iterations
    parts.append((len(rate_steps), shapes[-1], (epochs - steps[-1]) / saving * means[-1]))
    scale = epochs * settings.epoch_factor / sum(length for _, _, length in parts)
    grids, passed = [], 0.0
    for step, (count, size), length in parts:
        passed += length * scale
        factor = round(full / (count * size**2))
        grids.append(Grid(step, factor, count, size, round(passed)))
    return grids


def cycle_sides(settings, side, full_side):
    """The side lengths in pixels that alternate between batches, the long cycle's `side` last."""
    factors = settings.short_cycle_factors if settings.short_cycle else ()
    return [*(round(full_side * factor) for factor in factors), side]


def short_cycle(settings, grid, full_side):
    """The shapes that alternate between batches within a `Grid`.

    Args:
        settings: as for `long_cycle`.
        full_side: of the full-size clip in pixels, which the settings' factors multiply.

    Returns:
        A list of `(batch_factor, side)`, the grid's own shape last.
    """
    return [
        (grid.batch_factor * round((grid.side / side) ** 2), side)
        for side in cycle_sides(settings, grid.side, full_side)
    ]


def multigrid_rates(
    grids, learning_rate, decay=0.1, warmup_epochs=WARMUP_EPOCHS, warmup_rate=WARMUP_RATE
):
    """The learning rate of every epoch, for `keras.callbacks.LearningRateScheduler`.

    The rate is proportional to the batch size. The last grid is for fine-tuning: its first half
    keeps the previous rate, its second half has one more drop, as in the published training.

    Args:
        grids: of `long_cycle`.
        learning_rate: initial rate for a batch of full-size clips.
        decay: factor of every drop of the rate.
        warmup_epochs: epochs in which the rate rises linearly from `warmup_rate`.
    """
    rates = [learning_rate * decay**grid.step * grid.batch_factor for grid in grids[:-1]]
    ends = [grid.end for grid in grids[:-1]]
    last = grids[-1]
    ends += [(ends[-1] + last.end) // 2, last.end]
    rates += [rates[-1], learning_rate * decay ** (last.step + 1) * last.batch_factor]
    slope = (rates[0] - warmup_rate) / warmup_epochs if warmup_epochs else 0.0
    by_epoch, index = [], 0
    for epoch in range(last.end):
        index += epoch >= ends[index]
        warm = warmup_epochs and epoch <= warmup_epochs
        by_epoch.append(warmup_rate + slope * epoch if warm else rates[index])
    return by_epoch
