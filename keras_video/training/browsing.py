"""The clips of a run as its network would receive them, without training."""

import dataclasses

import keras
import numpy as np

from keras_video.training.distribution import replicas, this_worker
from keras_video.training.resolve_config import resolve_row
from keras_video.training.run import Run, checked_lists
from keras_video.training.run_data import run_datasets
from keras_video.zoo.protocol import AUDIOVISUAL, modality


def browse(settings, phase="train", count=16):
    """The first clips of a phase of a run, with their labels.

    Args:
        settings: a `RunSettings`: its row, data, size, seed and whatever else shapes clips.
        phase: "train": augmented, in the order of the first epoch, with batch mixing if the row
            uses it; or "test": all views of the test protocol, one after the other.
        count: number of clips; fewer if the data has fewer.

    Returns:
        `(clips, labels, class_names, normalize)`: lists of arrays, names, and the
        `keras_video.zoo.Normalize` that the pipeline has applied, or `None`.

    Raises:
        ValueError: for another phase, an audio-visual row, and as in `train`.
    """
    if phase not in ("train", "test"):
        raise ValueError(f"phase={phase!r}: expected 'train' or 'test'.")
    # A learning-rate search writes nothing before it trains.
    settings = dataclasses.replace(settings, lr_find=True, export=(), drop_remainder=False)
    row, lists = checked_lists(settings, resolve_row(settings), None)
    if modality(row) == AUDIOVISUAL:
        raise ValueError(f"{row.id}: clips of video with audio cannot be browsed.")
    keras.utils.set_random_seed(settings.seed)
    batch_size = min(settings.batch_size or count, count)
    worker, strategy = this_worker(), replicas()
    run = Run(settings, row, lists, None, None, None, worker, strategy, batch_size)
    train, test = run_datasets(run)
    dataset, axes = (train, 1) if phase == "train" else (test, 1 + _has_views(test))
    clips, labels = [], []
    for batch, label in dataset.as_numpy_iterator():
        label = label[0] if isinstance(label, tuple) else label
        views = batch.shape[1] if axes == 2 else 1
        clips += list(batch.reshape(-1, *batch.shape[axes:]))
        labels += list(np.repeat(label, views, axis=0))
        if len(clips) >= count:
            break
    normalize = run.protocol(phase).normalize
    return clips[:count], labels[:count], lists.class_names, normalize


def _has_views(dataset):
    """Whether elements have a views axis: `(batch, views, frames, height, width, channels)`."""
    return len(dataset.element_spec[0].shape) == 6
