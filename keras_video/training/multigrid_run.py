"""Multigrid training of a run: its row's schedule on its videos."""

from dataclasses import replace

from keras_video import data, zoo
from keras_video.training.callbacks import LearningRateScaling
from keras_video.training.from_row import row_precise_norm
from keras_video.training.multigrid import (
    WARMUP_EPOCHS,
    WARMUP_RATE,
    long_cycle,
    multigrid_rates,
    short_cycle,
)
from keras_video.training.multigrid_fit import fit_multigrid
from keras_video.training.optimizers import SGD
from keras_video.training.run_data import training_dataset
from keras_video.training.work_dir import verbosity


def fit_multigrid_run(run, model, test):
    """Trains a run whose row has `multigrid` settings (arXiv:1912.00998).

    Args:
        run: a `keras_video.training.run.Run`, not a dry run.
        model: from `run.model`, with unknown (None) frames, height and width; it is recompiled.
        test: the evaluation examples.

    Returns:
        The trained model, a new one.
    """
    row = run.row
    frames, side = row.input_shape[:2]
    stretch = run.epochs / row.epochs
    rate_steps = sorted({max(1, round(step * stretch)) for step in row.schedule.steps})
    precise = row_precise_norm(row, None)  # over the batches of the current grid
    grids = long_cycle(row.multigrid, run.epochs, rate_steps, frames, side)

    def batches(grid):
        examples = training_dataset(replace(run, row=row_of_grid(row, grid)), batch_size=0)
        shapes = short_cycle(row.multigrid, grid, side)
        dataset = data.short_cycle_dataset(
            examples, [(factor * run.batch_size, size) for factor, size in shapes]
        )
        for callback in precise:
            callback.dataset = dataset
        return dataset

    def compile_model(model):
        settings = run.optimizer(steps_per_epoch=1).get_config()
        # `fit_multigrid` sets the rate of every epoch.
        optimizer = SGD.from_config({**settings, "learning_rate": 1.0})
        run.compile(model, optimizer)

    return fit_multigrid(
        model,
        grids,
        grid_rates(run, grids),
        batches,
        compile_model,
        [
            callback
            for callback in run.callbacks(test, precise)
            if not isinstance(callback, LearningRateScaling)
        ],
        run.strategy.scope,
        verbose=verbosity(),
        shuffle=False,
    )


def grid_rates(run, grids):
    """The learning rate of every epoch, for the batch size of the run.

    It starts with the warm-up of the published multigrid schedule, not the row's: 34 epochs, fewer
    for a shorter run, from a tenth of the row's rate.
    """
    published = run.row.optimizer.learning_rate
    rate = run.settings.learning_rate or published
    rate = rate * run.batch_size / (run.row.batch_size or run.batch_size)
    return multigrid_rates(
        grids,
        rate,
        run.row.schedule.gamma,
        warmup_epochs=round(WARMUP_EPOCHS * run.epochs / run.row.epochs),
        warmup_rate=WARMUP_RATE * rate / published,
    )


def row_of_grid(row, grid):
    """`row` with training clips of a grid's frames and side; the time span stays the same."""
    sampling = row.sampling.train
    span = sampling.clip_len * sampling.frame_interval
    short = replace(
        sampling, clip_len=grid.frames, frame_interval=max(1, round(span / grid.frames))
    )
    row = zoo.resized(row, grid.side)
    return replace(
        row,
        sampling=replace(row.sampling, train=short),
        input_shape=(grid.frames, *row.input_shape[1:]),
    )
