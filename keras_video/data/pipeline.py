"""Batches of clips as a `tf.data.Dataset`."""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from .annotations import read_annotations
from .clip_reader import ClipReader
from .epoch import Epoch
from .report import DecodeReport
from .sources import Videos
from .steps import Resize, apply_label_steps, apply_steps

# One batch is used while the next is made; clips are large, so that more would only cost memory.
_BATCHES_AHEAD = 2
# Examples are handed on in order and take unequally long to read: where one is waited for, others
# are read meanwhile.
_READS_PER_CALL = 2


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
    if form is None and not str(annotation_file).endswith(".json"):
        form = source.form
    records = read_annotations(annotation_file, root, classes, form=form)
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
):
    """Clips of the examples that `records` name.

    Args:
        records: sequence of `keras_video.data.Record`.
        sampling: which frames are read, a sampler of `keras_video.data`.
        steps: what happens to them, a sequence of clip steps of `keras_video.data`.
        source: where the frames come from, see `keras_video.data.sources`; None means `Videos()`.
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
        on_error: what to do about a video that does not decode: `"raise"` an error that names it,
            `"skip"` it, or `"replace"` it with another, drawn at random. In the latter cases a
            warning at the end of every pass says how many and which.
        report: a `DecodeReport` that notes them; None makes one.
        decoder_resize: let the video decoder's scaler do a leading `Resize(short_side=...)`. That
            is faster for large videos, but the scaler smooths where that step does not: pixels
            differ, so do not use it to reproduce published accuracies.
        num_parallel_calls: videos that the steps are applied to at the same time; up to twice as
            many are read.
        deterministic: False lets examples overtake each other.
        drop_remainder: leave out the last batch when it is smaller than the others.

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
    check_options(on_error, seed)
    steps, source = tuple(steps), Videos() if source is None else source
    reader = ClipReader(
        tuple(records),
        sampling,
        training,
        int(seed),
        label_length(records, classes, multi_label),
        on_error,
        DecodeReport() if report is None else report,
        _scaled(source, steps) if decoder_resize else source,
    )
    return dataset_of_reader(
        reader,
        tf.TensorSpec(reader.shape, source.dtype),
        video_step(steps, view_frames, training),
        epoch=epoch,
        shuffle=training if shuffle is None else shuffle,
        batch_size=batch_size,
        num_parallel_calls=num_parallel_calls,
        deterministic=deterministic,
        drop_remainder=drop_remainder,
    )


def dataset_of_reader(
    reader,
    features,
    step,
    *,
    examples=None,
    epoch=None,
    shuffle=False,
    batch_size=8,
    num_parallel_calls=tf.data.AUTOTUNE,
    deterministic=True,
    drop_remainder=False,
):
    """Batches of the examples of a reader.

    Args:
        reader: a `ClipReader`, or what has its `records`, `order`, `read`, `classes`, `on_error`
            and `report`.
        features: `tf.TensorSpec` of what an example of the reader holds as `frames`, or a
            dictionary of them.
        step: function from `(frames, label, seed)` to `(features, label)` of one example.
        examples: dataset of the two arguments of the reader's `read`; None makes one of epoch and
            index, which `epoch` and `shuffle` are for.
        epoch, shuffle, batch_size, num_parallel_calls, deterministic, drop_remainder: see
            `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` of `(features, labels)`.
    """
    parallel = {"num_parallel_calls": num_parallel_calls, "deterministic": deterministic}
    if examples is None:
        examples = _indices(reader, Epoch() if epoch is None else epoch, shuffle)
    reads = num_parallel_calls
    if reads and reads != tf.data.AUTOTUNE:
        reads *= _READS_PER_CALL
    reading = _reading(reader, features)
    dataset = examples.map(reading, num_parallel_calls=reads, deterministic=deterministic)
    if reader.on_error != "raise":
        dataset = dataset.concatenate(_end_of_pass(dataset.element_spec, reader.report))
    if reader.on_error == "skip":
        dataset = dataset.filter(lambda frames, label, seed, decoded: decoded)
    dataset = dataset.map(lambda frames, label, seed, _: step(frames, label, seed), **parallel)
    if reader.on_error != "skip":
        count = examples_of_a_pass(reader, shuffle)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    if batch_size is not None:
        dataset = dataset.batch(batch_size, drop_remainder)
    return dataset.prefetch(_BATCHES_AHEAD).with_options(_options(deterministic))


def check_options(on_error, seed):
    """Raises a ValueError for what no loader takes."""
    if on_error not in ("raise", "skip", "replace"):
        raise ValueError(f"received on_error={on_error!r}, expected 'raise', 'skip' or 'replace'")
    if seed != int(seed) or seed < 0:
        raise ValueError(f"received seed={seed!r}, expected an integer from 0 on")


def label_length(records, classes, multi_label):
    """Length of multi-hot labels, or None for class indices."""
    several = [
        record for record in records if len(record.labels) != 1 or record.annotated is not None
    ]
    if multi_label is None:
        multi_label = bool(several)
    if not multi_label and several:
        raise ValueError(
            f"{several[0].source}: received labels {several[0].labels}, expected one label, since "
            "multi_label=False"
        )
    if not multi_label:
        return None
    spoken_of = (one.stop - 1 for record in records for one in record.annotated or ())
    labels = (label for record in records for label in record.labels)
    return classes or 1 + max(itertools.chain(labels, spoken_of))


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


def examples_of_a_pass(reader, shuffle):
    """Number of examples; a `shuffle` that takes some of the records says so by its `count`."""
    records = len(reader.records)
    return shuffle.count(records) if hasattr(shuffle, "count") else records


def _indices(reader, epoch, shuffle):
    """(epoch, index) of the examples of a pass."""

    def begin(_):
        taken = epoch.take()
        return np.int64(taken), reader.order(taken, shuffle).astype(np.int64)

    def start(number):
        # A stateful call: it runs, and so takes the epoch, each time that an iteration starts.
        taken, order = tf.numpy_function(begin, [number], [tf.int64, tf.int64])
        order.set_shape([examples_of_a_pass(reader, shuffle)])
        taken.set_shape([])
        return tf.data.Dataset.from_tensor_slices(order).map(lambda index: (taken, index))

    return tf.data.Dataset.range(1).flat_map(start)


def _reading(reader, features):
    """The function from (epoch, index) to an example's frames, label, seed and success."""
    label_type = tf.int32 if reader.classes is None else tf.float32
    label_shape = [] if reader.classes is None else [reader.classes]
    specs = (
        features,
        tf.TensorSpec(label_shape, label_type),
        tf.TensorSpec([2], tf.int32),
        tf.TensorSpec([], tf.bool),
    )
    flat_specs = tf.nest.flatten(specs)

    def read_flat(epoch, index):
        return tf.nest.flatten(tuple(reader.read(epoch, index)))

    def read(epoch, index):
        # Stateless: a function of its arguments, so that it stays parallel where TensorFlow is
        # told to be deterministic.
        values = tf.numpy_function(
            read_flat, [epoch, index], [spec.dtype for spec in flat_specs], stateful=False
        )
        for value, spec in zip(values, flat_specs, strict=True):
            value.set_shape(spec.shape)
        return tf.nest.pack_sequence_as(specs, values)

    return read


def _end_of_pass(element_spec, report):
    """A dataset without elements that logs the report when it is reached."""

    def log(_):
        report.log()
        return np.int64(0)

    def end(number):
        none = tf.numpy_function(log, [number], tf.int64)
        none.set_shape([])
        zeros = tf.nest.map_structure(
            lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), element_spec
        )
        return tf.data.Dataset.from_tensors(zeros).take(none)

    return tf.data.Dataset.range(1).flat_map(end)


def video_step(steps, view_frames, training):
    """The function from what was read to (clip, label)."""

    def step(frames, label, seed):
        clip = apply_steps(steps, frames, seed)
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


def _options(deterministic):
    options = tf.data.Options()
    options.deterministic = deterministic
    # There are no files to share out: each worker takes its part of the examples.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return options
