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

    All randomness is derived from `(seed, epoch, index of the video)`: the data does not depend on
    the number of workers, and a run resumed at an epoch receives the data of an uninterrupted run.

    Args:
        annotation_file: text file; see `annotation_format`.
        root: folder that the listed paths are relative to; None leaves them unchanged.
        sampling: a sampler of `keras_video.data` that selects the frames to read.
        transforms: sequence of clip transforms of `keras_video.data`. After the last one, all clips
            must have the same size.
        classes: number of classes, to check labels against; None only checks that they are not
            negative.
        annotation_format: format of the annotation file: a function from the file to its records,
            such as `keras_video.data.offset_lines`. None uses `json_records` for `.json` files,
            otherwise the default of the source: lines `path label [label ...]` for videos and
            images, `path frames label [label ...]` for folders of frames.
        source: the source that opens the examples, such as `keras_video.data.RawFrames()`; None
            means `Videos()`.
        view_frames, batch_size, training, seed, epoch, multi_label, shuffle, on_error, report,
            decoder_resize, num_parallel_calls, deterministic, drop_remainder, repeats, workers:
            see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset`, see `dataset_from_records`.

    Raises:
        AnnotationError: for a malformed line or a label out of range, naming file and line.
        FileNotFoundError: if the annotation file does not exist.
        ValueError: for options that contradict each other.
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
    """Clips of the examples in `records`.

    Args:
        records: sequence of `keras_video.data.Record`.
        sampling: a sampler of `keras_video.data` that selects the frames to read.
        transforms: sequence of clip transforms of `keras_video.data`.
        source: the source that opens the examples, see `keras_video.data.sources.videos`; None
            means `Videos()`.
        view_frames: frames per view, the input of the model. The sampled frames are split into
            views of this length; None makes all of them one view (the segments of a TSN).
        batch_size: videos in a batch; None returns single examples without a batch dimension.
        training: whether clips are drawn at random, again in every epoch.
        seed: non-negative integer, seed of all random draws.
        epoch: an `EpochCounter` that numbers the passes; None creates one that starts at 0.
        classes: number of classes, the length of multi-hot labels; None uses the largest label
            plus one.
        multi_label: whether labels are multi-hot; None decides by whether any video has several
            labels or classes that were not annotated.
        shuffle: whether each epoch has its own order, or a `ClassBalanced` that draws the
            examples; None shuffles in training.
        on_error: what to do if a video fails to decode or the transforms fail: `"raise"` an error
            that names the video and its line, `"skip"` the video, or `"replace"` it with another,
            drawn at random. In the latter cases, a warning at the end of each pass lists the
            failed videos. With "skip", a pass is shorter than the dataset's length, which counts
            all videos; if no examples are left, it ends with an error.
        report: a `DecodeReport` that records failures; None creates one.
        decoder_resize: let the video decoder's scaler perform a leading `Resize(short_side=...)`.
            This is faster for large videos, but unlike that transform the scaler applies
            antialiasing: pixels differ, so do not use it to reproduce published accuracies.
        num_parallel_calls: videos to transform in parallel in this process; up to twice that number
            are read in parallel.
        deterministic: False allows examples to be returned out of order.
        drop_remainder: drop the last batch if it is smaller than the others.
        repeats: clips per video in a training batch, next to each other: they have the same frames,
            but the transforms draw separately for each. `batch_size` counts videos.
        workers: processes that read and transform the examples; 0 uses threads of this process,
            which suffice for a few cores. Source, sampler and transforms are pickled, so they must
            be defined in a module. None uses one process per core on large machines if everything
            can be pickled. The batches are bitwise identical in all cases.

    Returns:
        A `tf.data.Dataset` of `(clips, labels)`. Labels are int32 `(batch,)`, or float32 `(batch,
        classes)` when multi-label: 1 for the classes of a video, 0 for others, -1 for classes
        that were not annotated. Clips are float32 after a `Normalize` transform. Their shape is
        `(batch, frames, height, width, channels)` in training, otherwise `(batch, views, frames,
        height, width, channels)`: all crops of the first clip, then those of the next. If sampling
        and transforms produce one view per video, there is no axis of views. Each pass takes its
        number from `epoch` when it begins.

    Raises:
        ValueError: for options that contradict each other.
    """
    options = LoaderOptions.of(locals())
    source = Videos() if source is None else source
    processing = Processing.of_transforms(sampling, transforms, view_frames)
    return build_dataset(records, processing, source, options)
