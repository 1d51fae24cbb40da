"""The datasets of a run, configured by its row."""

import dataclasses

import keras
import numpy as np

from keras_video import data
from keras_video.training.distribution import worker_batch_options
from keras_video.training.joint import joint_training
from keras_video.training.synthetic import synthetic_batch
from keras_video.zoo.protocol import AUDIOVISUAL, modality


def run_datasets(run):
    """The training examples and, with all views of the test protocol, the evaluation examples.

    The training examples are this worker's part of every batch. In a dry run: one batch of noise
    in the row's shapes, and no evaluation examples.

    Args:
        run: the `keras_video.training.run.Run`.

    Returns:
        `(train, test)`, of `(clips, labels)`; `train` with labels for each output of the trained
        model.
    """
    if run.settings.dry_run:
        train, test = noise_batch(run), None
    else:
        train, test = training_dataset(run), test_dataset(run)
    if run.row.joint:
        train = joint_training(run, train)
    train = mix_batches(run, train)
    if run.row.loss.auxiliary_weight:
        # The same labels for both classifiers.
        train = train.map(lambda clips, labels: (clips, (labels, labels)))
    return train, test


def training_dataset(run, batch_size=None):
    """The training examples of the run's main source.

    Args:
        batch_size: per step over all replicas, if not the run's; 0 for single examples.
    """
    lists = run.lists
    if batch_size == 0:
        batching = {"batch_size": None}
    else:
        batching = worker_batch_options(run.worker, batch_size or run.batch_size, run.strategy)
    return phase_dataset(
        run,
        "train",
        lists.train_list,
        lists.train_format,
        seed=run.settings.seed,
        epoch=run.epoch,
        drop_remainder=run.settings.drop_remainder,
        repeats=run.row.repeated_augmentation,
        **batching,
    )


def test_dataset(run):
    """All views of the evaluation examples."""
    lists, size, on_error = run.lists, run.settings.eval_batch_size, run.settings.on_error
    # Videos that replace unreadable ones would count twice.
    on_error = "skip" if on_error == "replace" else on_error
    return phase_dataset(
        run, "test", lists.val_list, lists.val_format, batch_size=size, on_error=on_error
    )


def phase_dataset(run, phase, annotation_file, annotation_format, **options):
    """Examples in the form that the network of the run's row takes: video, audio or both.

    Args:
        phase: "train" or "test".
        annotation_file, annotation_format: the list and its format.
        **options: of the loader.
    """
    lists = run.lists
    options = {
        "classes": len(lists.class_names),
        "multi_label": run.row.loss.kind == "binary",
        "on_error": run.settings.on_error,
        **options,
    }
    return data.protocol_dataset(
        run.protocol(phase),
        annotation_file,
        lists.root,
        source=lists.source,
        annotation_format=annotation_format,
        **options,
    )


def mix_batches(run, train):
    """The batches with clips and labels mixed, if the row uses batch mixing."""
    mix = data.row_batch_mixing(run.row, len(run.lists.class_names))
    if mix is None:
        return train
    epoch = None if run.settings.dry_run else run.epoch
    # Every replica of this worker draws its own mixing weight.
    parts = run.strategy.num_replicas_in_sync // run.worker.count
    return data.mixed_dataset(train, mix, seed=run.settings.seed, epoch=epoch, parts=parts)


def noise_batch(run):
    """One batch of noise; video and audio for an audio-visual row."""
    row, seed = run.row, run.settings.seed
    batch = synthetic_batch(row, run.lists, run.batch_size, seed)
    if modality(row) != AUDIOVISUAL:
        return batch
    shape = (run.batch_size, row.audio.length, row.audio.mels, 1)
    audio = np.random.default_rng(seed).random(shape, np.float32)
    return batch.map(lambda clips, labels: ({"video": clips, "audio": audio}, labels))


def normalizes_in_model(protocol):
    """Whether a `keras_video.zoo.Protocol` leaves normalization to the model."""
    return protocol.normalize is not None and protocol.normalize.where == "device"


def normalized_input(shape, normalize):
    """A normalized clip of pixels from 0 to 255, to build a model on as its `input_tensor`.

    Args:
        shape: of a clip, `(frames, height, width, channels)`.
        normalize: a `keras_video.zoo.Normalize`.
    """
    pixels = keras.Input(shape, name="pixels")
    repeats = shape[-1] // len(normalize.mean)
    return keras.layers.Normalization(
        axis=-1,
        mean=[float(value) for value in normalize.mean] * repeats,
        variance=[float(value) ** 2 for value in normalize.std] * repeats,
        invert=False,
        name="normalize",
    )(pixels)


def identity_normalize(normalize):
    """The `Normalize` that leaves pixels unchanged, for a model that normalizes them itself."""
    zeros, ones = (tuple(value for _ in normalize.mean) for value in (0.0, 1.0))
    return dataclasses.replace(normalize, mean=zeros, std=ones, where="pipeline")
