"""Batches of clips as a `tf.data.Dataset`."""

import dataclasses

import tensorflow as tf

from ..sampling import check_whole
from ..sources.videos import VideoParts, Videos
from ..steps.basic import Resize, apply_label_steps, apply_steps
from ..steps.early import apply_planned_steps, early_crop, shrinking
from .batches import dataset_of_reader
from .clip_reader import reader_of, records_of
from .normalizing import without_normalize
from .repeating import merged_repeats, repeating


def video_dataset(
    annotation_file, root=None, *, sampling, steps, classes=None, form=None, source=None, **options
):
    """Clips of the videos that an annotation file lists.

    Every random draw comes from `(seed, epoch, index of the video)`: the data does not depend on
    the number of workers, and a run that is resumed at an epoch sees what an unbroken run sees.

    Args:
        annotation_file: text file; see `form`.
        root: folder that its paths start from; None leaves them as they are.
        sampling: which frames are read, a sampler of `keras_video.data`.
        steps: what happens to them, a sequence of clip steps of `keras_video.data`. The last ones
            must leave all clips equally large.
        classes: number of classes that labels are checked against; None only checks that they are
            not negative.
        form: how the annotation file is written, a function from the file to its records, such
            as `keras_video.data.offset_lines`. None takes `json_records` for files that end in
            `.json`, otherwise the usual form of the source: lines `path label [label ...]` for
            videos and images, `path frames label [label ...]` for folders of frames.
        source: where the frames come from, such as `keras_video.data.RawFrames()`; None means
            `Videos()`.
        **options: see `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` as `dataset_from_records` gives it.

    Raises:
        AnnotationError: naming file and line of a label that is out of range or a damaged line.
        FileNotFoundError: there is no such annotation file.
        ValueError: options that contradict each other.
    """
    source = Videos() if source is None else source
    records = records_of(annotation_file, root, classes, form, source)
    return dataset_from_records(
        records, sampling=sampling, steps=steps, classes=classes, source=source, **options
    )


def dataset_from_records(
    records,
    *,
    sampling,
    steps,
    source=None,
    view_frames=None,
    batch_size=8,
    training=False,
    seed=0,
    epoch=None,
    classes=None,
    multi_label=None,
    shuffle=None,
    on_error="raise",
    report=None,
    decoder_resize=False,
    num_parallel_calls=tf.data.AUTOTUNE,
    deterministic=True,
    drop_remainder=False,
    repeats=1,
):
    """Clips of the examples that `records` name.

    Args:
        records: sequence of `keras_video.data.Record`.
        sampling: which frames are read, a sampler of `keras_video.data`.
        steps: what happens to them, a sequence of clip steps of `keras_video.data`.
        source: where the frames come from, see
            `keras_video.data.sources.videos`; None means `Videos()`.
        view_frames: frames that the model sees at a time. The sampled frames are cut into views
            of so many; None makes one view of all (the segments of a TSN).
        batch_size: videos in a batch; None gives single examples without a batch dimension.
        training: whether clips are drawn at random, anew in every epoch.
        seed: non-negative integer, seed of all draws.
        epoch: an `Epoch` that says which pass begins; None makes one that starts at 0.
        classes: number of classes, the length of multi-hot labels; None takes the greatest label
            plus one.
        multi_label: whether labels are multi-hot; None finds out whether a video has several, or
            classes that nobody looked for.
        shuffle: whether each epoch has its own order, or a `ClassBalanced` that draws its
            examples; None shuffles in training.
        on_error: what to do about a video that does not decode, or that the steps do not take:
            `"raise"` an error that names it and its line, `"skip"` it, or `"replace"` it with
            another, drawn at random. In the latter cases a warning at the end of every pass says
            how many and which. With "skip" a pass ends earlier than the dataset's length says,
            which is that of all videos; when nothing is left of it, with an error.
        report: a `DecodeReport` that notes them; None makes one.
        decoder_resize: let the video decoder's scaler do a leading `Resize(short_side=...)`. That
            is faster for large videos, but the scaler smooths where that step does not: pixels
            differ, so do not use it to reproduce published accuracies.
        num_parallel_calls: videos that the steps are applied to at the same time; up to twice as
            many are read.
        deterministic: False lets examples overtake each other.
        drop_remainder: leave out the last batch when it is smaller than the others.
        repeats: clips that a batch has of each of its videos in training, next to each other: of
            the same frames, the steps applied with draws of their own. `batch_size` counts videos.

    Returns:
        A `tf.data.Dataset` of `(clips, labels)`. Labels are int32 `(batch,)`, or float32 `(batch,
        classes)` when multi-label: 1 for the classes of a video, 0 for others, -1 for those that
        its annotation does not speak of. Clips are float32 after a `Normalize` step,
        in training `(batch, frames, height, width, channels)`, otherwise `(batch, views, frames,
        height, width, channels)`: the views of a clip in time, which are the crops, one after
        another, then those of the next. Each pass takes its number from `epoch` when it begins.

    Raises:
        ValueError: options that contradict each other.
    """
    steps, source = tuple(steps), Videos() if source is None else source
    if view_frames is not None:
        check_whole("view_frames", view_frames, 1)
    check_whole("repeats", repeats, 1)
    if repeats > 1 and (batch_size is None or not training):
        raise ValueError(
            f"repeats={repeats}: received batch_size={batch_size}, training={training}, expected "
            "batches of a training"
        )
    reader = reader_of(
        records,
        sampling=sampling,
        source=shrinking_source(_scaled(source, steps) if decoder_resize else source, steps),
        training=training,
        seed=seed,
        classes=classes,
        multi_label=multi_label,
        on_error=on_error,
        report=report,
        crop=crop_while_decoding(source, steps) if repeats == 1 else None,
    )
    steps, finish = without_normalize(steps)
    step = video_step(steps, view_frames, training)
    dataset = dataset_of_reader(
        reader,
        tf.TensorSpec(reader.shape, source.dtype),
        step if repeats == 1 else repeating(step, repeats),
        finish=finish,
        epoch=epoch,
        shuffle=training if shuffle is None else shuffle,
        batch_size=batch_size,
        num_parallel_calls=num_parallel_calls,
        deterministic=deterministic,
        drop_remainder=drop_remainder,
    )
    return dataset if repeats == 1 else merged_repeats(dataset)


def _scaled(source, steps):
    """The source with the leading step done by the decoder's scaler."""
    if not isinstance(source, Videos):
        raise ValueError(f"decoder_resize=True: received source={source}, expected Videos()")
    if steps and isinstance(steps[0], Resize) and steps[0].short_side is not None:
        return dataclasses.replace(source, short_side=steps[0].short_side)
    first = steps[0] if steps else "no steps"
    raise ValueError(
        f"decoder_resize=True: received {first}, expected Resize(short_side=...) first"
    )


def shrinking_source(source, steps):
    """The source with frames made smaller while they are decoded, where the steps begin so."""
    if isinstance(source, VideoParts):
        videos = shrinking_source(source.videos, steps)
        return source if videos is source.videos else dataclasses.replace(source, videos=videos)
    shrinks = isinstance(source, Videos) and source.decoder == "pyav"
    shrink = shrinking(steps) if shrinks else None
    return source if shrink is None else dataclasses.replace(source, shrink=shrink)


def crop_while_decoding(source, steps):
    """The `EarlyCrop` of the steps where the source can cut while it decodes, else None."""
    return early_crop(steps) if getattr(source, "cuts_early", False) else None


def video_step(steps, view_frames, training):
    """The function from what was read to (clip, label).

    It takes frames, label, seed and, where the reader has a `crop`, its plan for the frames.
    """

    def step(frames, label, seed, plan=None):
        if plan is None:
            clip = apply_steps(steps, frames, seed)
        else:
            clip = apply_planned_steps(steps, frames, seed, plan)
        label = apply_label_steps(steps, label, seed)
        if training:
            return _single_view(clip, view_frames), label
        return _views(clip, view_frames), label

    return step


def _single_view(clip, view_frames):
    if clip.shape.rank != 4:
        raise ValueError(
            f"the steps make clips of shape {clip.shape}, expected (frames, height, width, "
            "channels) in training: crops that give several views are for evaluation"
        )
    if view_frames is not None and clip.shape[0] != view_frames:
        raise ValueError(
            f"the sampling gives {clip.shape[0]} frames, expected view_frames={view_frames} in "
            "training, where an example is one view"
        )
    return clip


def _views(clip, view_frames):
    """(frames, ...) or (crops, frames, ...) as (views, view_frames, ...), time before crops."""
    if clip.shape.rank == 4:
        clip = clip[None]
    crops, frames = clip.shape[:2]
    if view_frames is None:
        return clip
    if frames is not None and frames % view_frames:
        raise ValueError(
            f"the sampling gives {frames} frames, expected a multiple of view_frames={view_frames}"
        )
    rest, static_rest = tf.shape(clip)[2:], clip.shape[2:]
    clip = tf.reshape(clip, tf.concat([[crops, -1, view_frames], rest], axis=0))
    if crops > 1:
        clip = tf.transpose(clip, [1, 0, 2, 3, 4, 5])
    clip = tf.reshape(clip, tf.concat([[-1, view_frames], rest], axis=0))
    views = None if frames is None else crops * frames // view_frames
    return tf.ensure_shape(clip, [views, view_frames, *static_rest])
