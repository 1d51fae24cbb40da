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
    """Spectrograms of clips of the sounds, or the videos' sound tracks, that a list names.

    Every random draw comes from `(seed, epoch, index)`, as in `video_dataset`.

    Args:
        annotation_file: text file of lines `path label [label ...]`, or in another
            `annotation_format`.
        root: folder that its paths start from; None leaves them as they are.
        sampling: which frames make a clip, a sampler of `keras_video.data`: a clip is the sound
            from its first to its last frame.
        source: `Sounds` (files that are decoded) or `AudioFeatures` (stored spectrograms).
        transforms: from waves `(clips, samples)`, or features `(clips, rows, mels)`, to
            spectrograms `(clips, time, mels, 1)`: `MelSpectrogram`, `LogMelFeatures`, `AddChannel`
            last.
        classes: number of classes that labels are checked against.
        annotation_format: how the list is written, see `read_annotations`; `frame_lines` for lines
            `path frames label [label ...]`. None takes the usual one of the source.
        training: whether clips are drawn at random, anew in every epoch.
        batch_size, seed, epoch, multi_label, shuffle, on_error, report, num_parallel_calls,
            deterministic, drop_remainder, workers: see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` of `(spectrograms, labels)`: float32 `(batch, time, mels, 1)` in
        training and for `num_clips=1`, otherwise `(batch, clips, time, mels, 1)`; labels as those
        of `video_dataset`.

    Raises:
        AnnotationError: naming file and line of a label that is out of range or a damaged line.
        FileNotFoundError: there is no such annotation file.
        ValueError: options that contradict each other; several clips in training.
    """
    options = LoaderOptions.of(locals())
    records = records_of(annotation_file, root, classes, annotation_format, source)
    return build_dataset(
        records, Processing(sampling, audio_transforms=tuple(transforms)), source, options
    )
