"""The loop of multigrid training: one `fit` for every shape of the long cycle."""

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

    For every shape batch norms are split into `batch_factor` parts, so that each part is as large
    as the batch of a plain training; the optimizer keeps its momentum.

    Args:
        model: a functional model whose frames, height and width are unknown (None).
        grids: of `keras_video.training.long_cycle`.
        rates: learning rate of every epoch, of `keras_video.training.multigrid_rates`.
        data: `data(grid)` returns the training data of a shape, such as a
            `keras_video.data.pipelines.short_cycle_dataset`.
        compile_model: `compile_model(model)` compiles a model; the rate it sets is replaced.
        callbacks: of every `fit`, including those of `training_callbacks`: an interrupted training
            resumes in the shape it was in.
        scope: returns the scope in which models are created, such as `strategy.scope`.
        verbose, shuffle, steps_per_epoch: see `keras.Model.fit`.

    Returns:
        The trained model, with plain batch norms; a new one.
    """
    scope = scope or contextlib.nullcontext
    done = max((backed_up_epoch(c.folder) for c in callbacks if isinstance(c, Restore)), default=0)
    if done > grids[-1].end:
        raise ValueError(
            f"The backup is from after epoch {done}, this training ends after epoch "
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
            optimizer = transfer_optimizer_state(optimizer, model)
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
        # Only the first shape is restored; the norms of the next have other shapes.
        callbacks = [callback for callback in callbacks if not isinstance(callback, Restore)]
        if model.stop_training:
            break
    with scope():
        return join_batch_norms(model)


def transfer_optimizer_state(previous, model):
    """The built optimizer of a model, with the iterations and momentum of the previous one."""
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    if previous is not None:
        for variable, value in zip(optimizer.variables, previous.variables, strict=True):
            variable.assign(value)
    return optimizer
