"""The datasets of a run, as its row states them."""

import dataclasses

import keras
import numpy as np

from keras_video import data
from keras_video.training.distribution import share_of_batches
from keras_video.training.joint import joint_training
from keras_video.training.synthetic import synthetic_batch
from keras_video.zoo.protocol import AUDIOVISUAL, modality


def run_datasets(run):
    """The training examples and, with all views of the test protocol, the evaluation examples.

    The training examples are this worker's: its share of every batch. In a dry run: one batch of
    noise in the row's shapes, and nothing to evaluate.

    Args:
        run: the `keras_video.training.run.Run`.

    Returns:
        `(train, test)`, of `(clips, labels)`; `train` with a label for each output of the model
        that is trained.
    """
    if run.settings.dry_run:
        train, test = noise(run), None
    else:
        train, test = training_dataset(run), test_dataset(run)
    if run.row.joint:
        train = joint_training(run, train)
    train = mixed(run, train)
    if run.row.loss.auxiliary_weight:
        # The same labels for both classifiers.
        train = train.map(lambda clips, labels: (clips, (labels, labels)))
    return train, test


def training_dataset(run, batch_size=None):
    """The training examples of the run's main source.

    Args:
        batch_size: of a step over all replicas if not the run's; 0 gives single examples.
    """
    lists = run.lists
    if batch_size == 0:
        share = {"batch_size": None}
    else:
        share = share_of_batches(run.worker, batch_size or run.batch_size, run.strategy)
    return phase_dataset(
        run,
        "train",
        lists.train_list,
        lists.train_format,
        seed=run.settings.seed,
        epoch=run.epoch,
        drop_remainder=run.settings.drop_remainder,
        repeats=run.row.repeated_augmentation,
        **share,
    )


def test_dataset(run):
    """All views of the evaluation examples."""
    lists, size, on_error = run.lists, run.settings.eval_batch_size, run.settings.on_error
    # Others in the place of unreadable videos would count twice.
    on_error = "skip" if on_error == "replace" else on_error
    return phase_dataset(
        run, "test", lists.val_list, lists.val_format, batch_size=size, on_error=on_error
    )


def phase_dataset(run, phase, annotation_file, annotation_format, **options):
    """Examples of the run's row in the form that its network takes, of video, sound or both.

    Args:
        phase: "train" or "test".
        annotation_file, annotation_format: the list, and how it is written.
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


def mixed(run, train):
    """The batches with clips and labels mixed, where the row does that."""
    mix = data.row_batch_mixing(run.row, len(run.lists.class_names))
    if mix is None:
        return train
    epoch = None if run.settings.dry_run else run.epoch
    # Every replica of this worker draws a share of its own.
    parts = run.strategy.num_replicas_in_sync // run.worker.count
    return data.mixed_dataset(train, mix, seed=run.settings.seed, epoch=epoch, parts=parts)


def noise(run):
    """One batch of noise; of sound too where the row takes both."""
    row, seed = run.row, run.settings.seed
    batch = synthetic_batch(row, run.lists, run.batch_size, seed)
    if modality(row) != AUDIOVISUAL:
        return batch
    shape = (run.batch_size, row.audio.length, row.audio.mels, 1)
    sound = np.random.default_rng(seed).random(shape, np.float32)
    return batch.map(lambda clips, labels: ({"video": clips, "audio": sound}, labels))


def normalizes_itself(protocol):
    """Whether the model of a `keras_video.zoo.Protocol` is to normalize its pixels."""
    return protocol.normalize is not None and protocol.normalize.where == "device"


def normalized_input(shape, normalize):
    """A clip of pixels from 0 to 255, normalized: what a model is built on as `input_tensor`.

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


def plain_pixels(normalize):
    """The settings that leave pixels as they are, for a model that normalizes them itself."""
    zeros, ones = (tuple(value for _ in normalize.mean) for value in (0.0, 1.0))
    return dataclasses.replace(normalize, mean=zeros, std=ones, where="pipeline")
