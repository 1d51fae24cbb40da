"""A masked pretraining run, configured by its row and its settings."""

import json
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from keras_video import atomic, data, zoo
from keras_video.data.rows.presets import clip_transforms
from keras_video.training.callbacks import EpochSeed, LearningRateScaling, training_callbacks
from keras_video.training.distribution import replicas, this_worker
from keras_video.training.divergence import check_weights
from keras_video.training.from_row import row_optimizer
from keras_video.training.lists import embedded_lists
from keras_video.training.masked_autoencoder import MaskedAutoencoder
from keras_video.training.precision import use_half_precision
from keras_video.training.records import read_log
from keras_video.training.resolve_config import row_batch_size
from keras_video.training.saving import save_model
from keras_video.training.work_dir import begin_run, closing_run, open_work_dir, verbosity
from keras_video.weights.checkpoint import read_checkpoint
from keras_video.weights.loading import load_state


def pretrain(settings):
    """Pretrains the network of a row by masking, without labels, and saves it.

    The work folder then contains `model.keras` (the `MaskedAutoencoder`), `encoder.keras` (the
    network without its classifier, for fine-tuning), the log and `metrics.json`.

    Args:
        settings: a `PretrainSettings`.

    Returns:
        The content of `metrics.json`.

    Raises:
        ValueError: for a row without pretraining settings, conflicting settings, or a folder that
            contains files other than a run's.
        FolderInUseError: if another process trains in the folder.
        DivergedError: if losses or weights are no longer finite.
    """
    row = pretraining_row(settings)
    strategy = replicas()
    batch_size = settings.batch_size or row_batch_size(row, strategy.num_replicas_in_sync)
    records = pretraining_records(settings, row)
    work_dir = Path(settings.work_dir or f"work_dirs/{row.name}_pretraining")
    lock = open_work_dir(work_dir, settings.resume)
    with closing_run(work_dir, lock):
        _prepare(settings)
        with strategy.scope():
            encoder, model = autoencoder(row)
            if settings.weights:
                load_state(model, read_checkpoint(Path(settings.weights)))
        epoch = data.EpochCounter()
        dataset = pretraining_dataset(row, model, records, settings, batch_size, epoch)
        with strategy.scope():
            rate, epochs = settings.learning_rate, settings.epochs or row.epochs
            model.compile(row_optimizer(row, len(dataset), epochs=epochs, learning_rate=rate))
        begin_run(work_dir, settings)
        scaling = LearningRateScaling(row.batch_size or batch_size, batch_size)
        callbacks = training_callbacks(work_dir, [scaling, EpochSeed(epoch)], monitor=None)
        model.fit(dataset, epochs=epochs, callbacks=callbacks, verbose=verbosity(), shuffle=False)
        return _finish(work_dir, model, encoder, len(records))


def pretraining_row(settings):
    """The row of the settings, with its pretraining and the size of the settings.

    Raises:
        ValueError: for a row without pretraining, and for several processes.
    """
    worker = this_worker()
    if worker.count > 1:
        raise ValueError(
            f"TF_CONFIG names {worker.count} workers: expected a single process for pretraining, "
            "which uses all GPUs of its machine."
        )
    row = zoo.pretrained(zoo.row(settings.row))
    row = zoo.resized(row, settings.size) if settings.size else row
    logging.info("Row %s (%s)", row.id, row.name)
    return row


def pretraining_records(settings, row):
    """The videos of the settings, or those of the embedded dataset of the row's family."""
    if settings.videos:
        return data.unlabeled_records(settings.videos, settings.data_root)
    lists = embedded_lists(row)
    return data.unlabeled_records(lists.train_list, lists.root)


def autoencoder(row):
    """The network of a row without its classifier, and the `MaskedAutoencoder` that trains it."""
    encoder = row.model(include_top=False, drop_path=0.0)
    settings = row.pretraining
    model = MaskedAutoencoder(
        encoder,
        settings.mask_ratio,
        settings.decoder_mask_ratio,
        settings.decoder_dim,
        settings.decoder_layers,
        settings.decoder_heads,
        mean=row.normalize.mean,
        std=row.normalize.std,
    )
    return encoder, model


def pretraining_dataset(row, model, records, settings, batch_size, epoch):
    """The dataset of clips and masks, according to the row and the model's grid."""
    masks = {"mask": data.TubeMask(model.grid, model.mask_ratio)}
    if model.decoder_mask_ratio:
        masks["decoder_mask"] = data.RunningCellMask(model.grid, model.decoder_mask_ratio)
    return data.masked_dataset(
        records,
        sampling=data.row_sampling(row, "train"),
        transforms=clip_transforms(row.spatial.train, row.normalize),
        masks=masks,
        seed=settings.seed,
        repeats=row.repeated_augmentation,
        epoch=epoch,
        batch_size=batch_size,
        drop_remainder=True,
        on_error=settings.on_error,
    )


def _prepare(settings):
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    if settings.mixed_precision:
        use_half_precision()


def _finish(work_dir, model, encoder, videos):
    """Saves the networks and reports the losses."""
    check_weights(model, "after the training")
    save_model(model, work_dir / "model.keras")
    save_model(encoder, work_dir / "encoder.keras")
    losses = [float(loss) for loss in read_log(work_dir / "log.csv")["loss"]]
    report = {"loss": losses[-1], "first_loss": losses[0], "epochs": len(losses), "videos": videos}
    atomic.write_text(work_dir / "metrics.json", json.dumps(report, indent=2) + "\n")
    print(f"loss {losses[-1]:.4f} after {len(losses)} epochs on {videos} videos")
    print(f"Results are in {work_dir}; keras-video train --weights {work_dir / 'encoder.keras'}")
    return report
