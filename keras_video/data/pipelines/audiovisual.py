"""Batches of clips and their audio as a `tf.data.Dataset`."""

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
    """Time-aligned clips and spectrograms of the videos in a list.

    All randomness is derived from `(seed, epoch, index of the video)`, as in `video_dataset`: with
    the same sampling and transforms, the clips are those of `video_dataset`.

    Args:
        annotation_file, root, classes, annotation_format: see `video_dataset`.
        sampling: a sampler of `keras_video.data` that selects the frames to read. Each of its clips
            is a view; the audio of a clip spans its first to its last frame.
        video_transforms: clip transforms of `keras_video.data` for the frames.
        audio_transforms: from waveforms `(clips, samples)` to spectrograms `(clips, time, mels,
            1)`, see `audio_dataset`.
        source: an `AudioVisual`; None means `AudioVisual()`.
        training: whether clips are drawn at random, again in every epoch.
        batch_size, seed, epoch, multi_label, shuffle, on_error, report, num_parallel_calls,
            deterministic, drop_remainder, workers: see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` of `({"video": clips, "audio": spectrograms}, labels)`: clips float32
        `(batch, frames, height, width, channels)` and spectrograms `(batch, time, mels, 1)` in
        training; otherwise both are `(batch, views, ...)`, without that axis for a single view. All
        crops of a clip have the same audio.

    Raises:
        AnnotationError: for a malformed line or a label out of range, naming file and line.
        FileNotFoundError: if the annotation file does not exist.
        ValueError: for options that contradict each other, or several clips in training.
    """
    options = LoaderOptions.of(locals())
    source = AudioVisual() if source is None else source
    records = records_of(annotation_file, root, classes, annotation_format, source)
    processing = Processing.of_transforms(
        sampling, video_transforms, audio_transforms=audio_transforms
    )
    return build_dataset(records, processing, source, options)
