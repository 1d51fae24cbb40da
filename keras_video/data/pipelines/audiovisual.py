"""Batches of clips and their sound as a `tf.data.Dataset`."""

from collections.abc import Callable, Iterable
from pathlib import Path

import tensorflow as tf

from ..annotations.parsing import AnnotationFormat
from ..audio.audiovisual import AudioVisual
from ..transforms.basic import Transform
from .building import build_dataset
from .clip_reader import OnError, records_of
from .epoch import EpochCounter
from .options import LoaderOptions
from .processing import Processing
from .report import DecodeReport


def audiovisual_dataset(
    annotation_file: str | Path,
    root: str | Path | None = None,
    *,
    sampling: Callable,
    video_transforms: Iterable[Transform],
    audio_transforms: Iterable[Transform],
    source: AudioVisual | None = None,
    annotation_format: AnnotationFormat | None = None,
    batch_size: int | None = 8,
    training: bool = False,
    seed: int = 0,
    epoch: EpochCounter | None = None,
    classes: int | None = None,
    multi_label: bool | None = None,
    shuffle: bool | Callable | None = None,
    on_error: OnError = "raise",
    report: DecodeReport | None = None,
    num_parallel_calls: int | None = tf.data.AUTOTUNE,
    deterministic: bool = True,
    drop_remainder: bool = False,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Clips and spectrograms of the same moments of the videos that a list names.

    Every random draw comes from `(seed, epoch, index of the video)`, as in `video_dataset`: with
    the same sampling and transforms the clips are those of `video_dataset`.

    Args:
        annotation_file, root, classes, annotation_format: see `video_dataset`.
        sampling: which frames are read, a sampler of `keras_video.data`. Each of its clips is a
            view, and its sound is that from its first to its last frame.
        video_transforms: what happens to the frames, clip transforms of `keras_video.data`.
        audio_transforms: from waves `(clips, samples)` to spectrograms `(clips, time, mels, 1)`,
            see `audio_dataset`.
        source: an `AudioVisual`; None means `AudioVisual()`.
        training: whether clips are drawn at random, anew in every epoch.
        batch_size, seed, epoch, multi_label, shuffle, on_error, report, num_parallel_calls,
            deterministic, drop_remainder, workers: see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` of `({"video": clips, "audio": spectrograms}, labels)`: clips float32
        `(batch, frames, height, width, channels)` and spectrograms `(batch, time, mels, 1)` in
        training; otherwise `(batch, views, ...)` of both, without that axis for one view. Crops of
        a clip have the same sound.

    Raises:
        AnnotationError: naming file and line of a label that is out of range or a damaged line.
        FileNotFoundError: there is no such annotation file.
        ValueError: options that contradict each other; several clips in training.
    """
    options = LoaderOptions.of(locals())
    source = AudioVisual() if source is None else source
    records = records_of(annotation_file, root, classes, annotation_format, source)
    processing = Processing.of_transforms(
        sampling, video_transforms, audio_transforms=audio_transforms
    )
    return build_dataset(records, processing, source, options)
