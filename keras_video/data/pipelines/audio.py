"""Batches of spectrograms as a `tf.data.Dataset`."""

from collections.abc import Callable, Iterable
from pathlib import Path

import tensorflow as tf

from ..annotations.parsing import AnnotationFormat
from ..sources.videos import Source
from ..transforms.basic import Transform
from .building import build_dataset
from .clip_reader import OnError, records_of
from .epoch import EpochCounter
from .options import LoaderOptions
from .processing import Processing
from .report import DecodeReport


def audio_dataset(
    annotation_file: str | Path,
    root: str | Path | None = None,
    *,
    sampling: Callable,
    source: Source,
    transforms: Iterable[Transform],
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
    """Spectrograms of clips of the audio files, or the audio tracks of videos, in a list.

    All randomness is derived from `(seed, epoch, index)`, as in `video_dataset`.

    Args:
        annotation_file: text file of lines `path label [label ...]`, or in another
            `annotation_format`.
        root: folder that the listed paths are relative to; None leaves them unchanged.
        sampling: a sampler of `keras_video.data` that selects the frames of a clip. The audio of a
            clip spans its first to its last frame.
        source: `Waveforms` (decoded files) or `AudioFeatures` (stored spectrograms).
        transforms: from waveforms `(clips, samples)`, or features `(clips, rows, mels)`, to
            spectrograms `(clips, time, mels, 1)`; the last one is `MelSpectrogram`,
            `LogMelFeatures` or `AddChannel`.
        classes: number of classes, to check labels against.
        annotation_format: format of the list, see `read_annotations`; `frame_lines` for lines
            `path frames label [label ...]`. None uses the default of the source.
        training: whether clips are drawn at random, again in every epoch.
        batch_size, seed, epoch, multi_label, shuffle, on_error, report, num_parallel_calls,
            deterministic, drop_remainder, workers: see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` of `(spectrograms, labels)`: float32 `(batch, time, mels, 1)` in
        training and for `num_clips=1`, otherwise `(batch, clips, time, mels, 1)`; labels as those
        of `video_dataset`.

    Raises:
        AnnotationError: for a malformed line or a label out of range, naming file and line.
        FileNotFoundError: if the annotation file does not exist.
        ValueError: for options that contradict each other, or several clips in training.
    """
    options = LoaderOptions.of(locals())
    records = records_of(annotation_file, root, classes, annotation_format, source)
    return build_dataset(
        records, Processing(sampling, audio_transforms=tuple(transforms)), source, options
    )
