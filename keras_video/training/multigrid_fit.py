"""The training loop of multigrid training: `fit` once for every shape of the long cycle."""

import contextlib

import keras
from absl import logging

from keras_video.layers.sub_batch_norm import join_batch_norms, split_batch_norms
from keras_video.training.resume import Restore, backed_up_epoch


def fit_multigrid(
    model,
    grids,
    rates,
    data,
    compile_model,
    callbacks=(),
    scope=None,
    *,
    verbose="auto",
    shuffle=True,
    steps_per_epoch=None,
):
    """Trains a model through the shapes of a long cycle (arXiv:1912.00998).

    In every shape batch norms are split into as many parts as its batch is larger than the full
    shape's, so each part is as large as in a plain training; the optimizer keeps its momentum.

    Args:
        model: a functional model whose frames, height and width are open.
        grids: of `keras_video.training.long_cycle`.
        rates: learning rate of every epoch, of `keras_video.training.multigrid_rates`.
        data: `data(grid)` gives the training data of a shape, such as a
            `keras_video.data.pipelines.short_cycle_dataset`.
        compile_model: `compile_model(model)` compiles a model; the rate it gives is replaced.
        callbacks: of every `fit`, those of `training_callbacks` included: a training that was
            stopped goes on in the shape it was in.
        scope: function that gives the scope in which models are made, such as `strategy.scope`.
        verbose, shuffle, steps_per_epoch: see `keras.Model.fit`.

    Returns:
        The trained model, with plain batch norms; a new one.
    """
    scope = scope or contextlib.nullcontext
    done = max((backed_up_epoch(c.folder) for c in callbacks if isinstance(c, Restore)), default=0)
    if done > grids[-1].end:
        raise ValueError(
            f"The backup was made after epoch {done}, this training ends after epoch "
            f"{grids[-1].end}: expected at least {done} epochs, or another folder."
        )
    starts = [0, *(grid.end for grid in grids)]
    optimizer = None
    for start, grid in zip(starts, grids, strict=False):
        if grid.end < done or grid.end == start:
            continue
        logging.info("Multigrid: epochs %d to %d, %s", start + 1, grid.end, grid)
        with scope():
            model = split_batch_norms(model, grid.batch_factor)
            compile_model(model)
            optimizer = carried_over(optimizer, model)
        rate = keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
        model.fit(
            data(grid),
            initial_epoch=start,
            epochs=grid.end,
            callbacks=[*callbacks, rate],
            verbose=verbose,
            shuffle=shuffle,
            steps_per_epoch=steps_per_epoch,
        )
        # It is for the first shape; the next has norms of other shapes.
        callbacks = [one for one in callbacks if not isinstance(one, Restore)]
        if model.stop_training:
            break
    with scope():
        return join_batch_norms(model)


def carried_over(before, model):
    """The optimizer of a model, built, with the iterations and momenta of the one before."""
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    if before is not None:
        for variable, value in zip(optimizer.variables, before.variables, strict=True):
            variable.assign(value)
    return optimizer
