"""Batches of clips as a `tf.data.Dataset`."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import tensorflow as tf

from ..annotations.parsing import AnnotationFormat, Record
from ..sources.videos import Source, Videos
from ..transforms.basic import Transform
from .building import build_dataset
from .clip_reader import OnError, records_of
from .epoch import EpochCounter
from .options import LoaderOptions
from .processing import Processing
from .report import DecodeReport


def video_dataset(
    annotation_file: str | Path,
    root: str | Path | None = None,
    *,
    sampling: Callable,
    transforms: Iterable[Transform],
    annotation_format: AnnotationFormat | None = None,
    source: Source | None = None,
    view_frames: int | None = None,
    batch_size: int | None = 8,
    training: bool = False,
    seed: int = 0,
    epoch: EpochCounter | None = None,
    classes: int | None = None,
    multi_label: bool | None = None,
    shuffle: bool | Callable | None = None,
    on_error: OnError = "raise",
    report: DecodeReport | None = None,
    decoder_resize: bool = False,
    num_parallel_calls: int | None = tf.data.AUTOTUNE,
    deterministic: bool = True,
    drop_remainder: bool = False,
    repeats: int = 1,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Clips of the videos that an annotation file lists.

    Every random draw comes from `(seed, epoch, index of the video)`: the data does not depend on
    the number of workers, and a run that is resumed at an epoch sees what an unbroken run sees.

    Args:
        annotation_file: text file; see `annotation_format`.
        root: folder that its paths start from; None leaves them as they are.
        sampling: which frames are read, a sampler of `keras_video.data`.
        transforms: what happens to them, a sequence of clip transforms of `keras_video.data`. The
            last ones must leave all clips equally large.
        classes: number of classes that labels are checked against; None only checks that they are
            not negative.
        annotation_format: how the annotation file is written, a function from the file to its
            records, such as `keras_video.data.offset_lines`. None takes `json_records` for files
            that end in `.json`, otherwise the usual form of the source: lines `path label [label
            ...]` for videos and images, `path frames label [label ...]` for folders of frames.
        source: where the frames come from, such as `keras_video.data.RawFrames()`; None means
            `Videos()`.
        view_frames, batch_size, training, seed, epoch, multi_label, shuffle, on_error, report,
            decoder_resize, num_parallel_calls, deterministic, drop_remainder, repeats, workers:
            see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` as `dataset_from_records` gives it.

    Raises:
        AnnotationError: naming file and line of a label that is out of range or a damaged line.
        FileNotFoundError: there is no such annotation file.
        ValueError: options that contradict each other.
    """
    options = LoaderOptions.of(locals())
    source = Videos() if source is None else source
    records = records_of(annotation_file, root, classes, annotation_format, source)
    processing = Processing.of_transforms(sampling, transforms, view_frames)
    return build_dataset(records, processing, source, options)


def dataset_from_records(
    records: Sequence[Record],
    *,
    sampling: Callable,
    transforms: Iterable[Transform],
    source: Source | None = None,
    view_frames: int | None = None,
    batch_size: int | None = 8,
    training: bool = False,
    seed: int = 0,
    epoch: EpochCounter | None = None,
    classes: int | None = None,
    multi_label: bool | None = None,
    shuffle: bool | Callable | None = None,
    on_error: OnError = "raise",
    report: DecodeReport | None = None,
    decoder_resize: bool = False,
    num_parallel_calls: int | None = tf.data.AUTOTUNE,
    deterministic: bool = True,
    drop_remainder: bool = False,
    repeats: int = 1,
    workers: int | None = None,
) -> tf.data.Dataset:
    """Clips of the examples that `records` name.

    Args:
        records: sequence of `keras_video.data.Record`.
        sampling: which frames are read, a sampler of `keras_video.data`.
        transforms: what happens to them, a sequence of clip transforms of `keras_video.data`.
        source: where the frames come from, see
            `keras_video.data.sources.videos`; None means `Videos()`.
        view_frames: frames that the model sees at a time. The sampled frames are cut into views
            of so many; None makes one view of all (the segments of a TSN).
        batch_size: videos in a batch; None gives single examples without a batch dimension.
        training: whether clips are drawn at random, anew in every epoch.
        seed: non-negative integer, seed of all draws.
        epoch: an `EpochCounter` that says which pass begins; None makes one that starts at 0.
        classes: number of classes, the length of multi-hot labels; None takes the greatest label
            plus one.
        multi_label: whether labels are multi-hot; None finds out whether a video has several, or
            classes that nobody looked for.
        shuffle: whether each epoch has its own order, or a `ClassBalanced` that draws its
            examples; None shuffles in training.
        on_error: what to do about a video that does not decode, or that the transforms do not take:
            `"raise"` an error that names it and its line, `"skip"` it, or `"replace"` it with
            another, drawn at random. In the latter cases a warning at the end of every pass says
            how many and which. With "skip" a pass ends earlier than the dataset's length says,
            which is that of all videos; when nothing is left of it, with an error.
        report: a `DecodeReport` that notes them; None makes one.
        decoder_resize: let the video decoder's scaler do a leading `Resize(short_side=...)`. That
            is faster for large videos, but the scaler smooths where that transform does not: pixels
            differ, so do not use it to reproduce published accuracies.
        num_parallel_calls: videos that the transforms are applied to at the same time in this
            process; up to twice as many are read.
        deterministic: False lets examples overtake each other.
        drop_remainder: leave out the last batch when it is smaller than the others.
        repeats: clips that a batch has of each of its videos in training, next to each other: of
            the same frames, the transforms applied with draws of their own. `batch_size` counts
            videos.
        workers: processes that read and transform the examples; 0 loads them in threads of this
            one, which is enough for some cores. Source, sampler and transforms are sent to them, so
            they must be defined in a module. None takes a process for each core on large machines,
            where all of that can be sent. Batches are the same bit for bit.

    Returns:
        A `tf.data.Dataset` of `(clips, labels)`. Labels are int32 `(batch,)`, or float32 `(batch,
        classes)` when multi-label: 1 for the classes of a video, 0 for others, -1 for those that
        its annotation does not speak of. Clips are float32 after a `Normalize` transform,
        in training `(batch, frames, height, width, channels)`, otherwise `(batch, views, frames,
        height, width, channels)`: the views of a clip in time, which are the crops, one after
        another, then those of the next. Where sampling and transforms give one view of every video,
        there is no axis of views. Each pass takes its number from `epoch` when it begins.

    Raises:
        ValueError: options that contradict each other.
    """
    options = LoaderOptions.of(locals())
    source = Videos() if source is None else source
    processing = Processing.of_transforms(sampling, transforms, view_frames)
    return build_dataset(records, processing, source, options)
