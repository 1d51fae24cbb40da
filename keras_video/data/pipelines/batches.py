"""From a reader of examples to batches: the part that all pipelines share."""

import os

import numpy as np
import tensorflow as tf

from ..sampling import check_whole
from .epoch import Epoch

# One batch is used while the next is made; clips are large, so that more would only cost memory.
_BATCHES_AHEAD = 2
# Examples are handed on in order and take unequally long to read: where one is waited for, others
# are read meanwhile.
_READS_PER_CALL = 2


def dataset_of_reader(
    reader,
    features,
    step,
    *,
    finish=None,
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
        step: function from `(frames, label, seed)` to `(features, label)` of one example; with a
            fourth argument where the reader has a `crop`: its plan for the frames.
        finish: function from the features of a batch to what the dataset gives; None leaves them.
        examples: dataset of the two arguments of the reader's `read`; None makes one of epoch and
            index, which `epoch` and `shuffle` are for.
        epoch, shuffle, batch_size, num_parallel_calls, deterministic, drop_remainder: see
            `dataset_from_records`.

    Returns:
        A `tf.data.Dataset` of `(features, labels)`.
    """
    if batch_size is not None:
        check_whole("batch_size", batch_size, 1)
    if num_parallel_calls not in (None, tf.data.AUTOTUNE):
        check_whole("num_parallel_calls", num_parallel_calls, 1)
    calls = _calls(num_parallel_calls)
    parallel = {"num_parallel_calls": calls, "deterministic": deterministic}
    if examples is None:
        examples = _indices(reader, Epoch() if epoch is None else epoch, shuffle)
    reading, reads = _reading(reader, features), calls and calls * _READS_PER_CALL
    dataset = examples.map(reading, num_parallel_calls=reads, deterministic=deterministic)
    if reader.on_error != "raise":
        dataset = dataset.concatenate(_end_of_pass(dataset.element_spec, reader.report))
    if reader.on_error == "skip":
        dataset = dataset.filter(lambda frames, label, seed, decoded, *plan: decoded)
    dataset = dataset.map(
        lambda frames, label, seed, _, *plan: step(frames, label, seed, *plan), **parallel
    )
    if reader.on_error != "skip":
        count = examples_of_a_pass(reader, shuffle)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    if batch_size is not None:
        dataset = dataset.batch(batch_size, drop_remainder)
    if finish is not None:
        dataset = dataset.map(lambda batch, labels: (finish(batch), labels), **parallel)
    return dataset.prefetch(_BATCHES_AHEAD).with_options(_options(deterministic, reads))


def examples_of_a_pass(reader, shuffle):
    """Number of examples; a `shuffle` that takes some of the records says so by its `count`."""
    records = len(reader.records)
    return shuffle.count(records) if hasattr(shuffle, "count") else records


def _calls(num_parallel_calls):
    """The number of parallel calls; for AUTOTUNE, the cores that the process may use."""
    if num_parallel_calls != tf.data.AUTOTUNE:
        return num_parallel_calls
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


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
    """The function from (epoch, index) to an example's frames, label, seed and success.

    Where the reader has a `crop`, also to its plan for the frames.
    """
    label_type = tf.int32 if reader.classes is None else tf.float32
    label_shape = [] if reader.classes is None else [reader.classes]
    specs = (
        features,
        tf.TensorSpec(label_shape, label_type),
        tf.TensorSpec([2], tf.int32),
        tf.TensorSpec([], tf.bool),
    )
    if reader.crop is not None:
        specs += (tf.TensorSpec([6], tf.int32),)
    flat_specs = tf.nest.flatten(specs)

    def read_flat(epoch, index):
        return tf.nest.flatten(tuple(reader.read(epoch, index))[: len(specs)])

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


def _options(deterministic, reads):
    options = tf.data.Options()
    # A thread for every example that is read: some of them wait for Python, or for the disk.
    options.threading.private_threadpool_size = reads or 1
    options.deterministic = deterministic
    # The tuner takes the reader, which computes in Python, for slower than it is: in half of all
    # passes it leaves one of two cores without work.
    options.autotune.enabled = False
    # There are no files to share out: each worker takes its part of the examples.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return options
