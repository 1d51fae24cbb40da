"""Builds batches from a reader of examples; shared by all pipelines."""

import os

import numpy as np
import tensorflow as tf

from ..sampling import check_whole
from .epoch import EpochCounter
from .load_workers import load_workers
from .passes import end_of_pass, nominal_length, pass_numbers
from .python_calls import check_process, numpy_function
from .shapes import check_shapes
from .transforming import ExampleTransform, loading, reading, transforming

# One batch is used while the next is prepared; clips are large, so more would only cost memory.
_BATCHES_AHEAD = 2
# Examples are returned in order and vary in read time: while one is awaited, others are read.
_READS_PER_CALL = 2


def dataset_of_reader(reader, processing, options, examples=None):
    """Batches of the examples of a reader.

    Args:
        reader: a `ClipReader`, or an object with its `records`, `order`, `read`, `shape`,
            `source`, `classes`, `on_error` and `report`.
        processing: the `Processing` of the examples. Errors in its transforms are handled like
            read errors, and name the example.
        options: the `LoaderOptions`.
        examples: dataset of the two arguments of the reader's `read`; None creates one of epochs
            and indices.

    Returns:
        A `tf.data.Dataset` of `(features, labels)`; its length assumes that no example is skipped.

    Raises:
        ValueError: if there are fewer examples than `batch_size` and `drop_remainder` is set.
        RuntimeError: if this process was forked after TensorFlow had been used.
    """
    check_process()
    batch_size, drop_remainder = options.batch_size, options.drop_remainder
    if batch_size is not None:
        check_whole("batch_size", batch_size, 1)
    if options.num_parallel_calls not in (None, tf.data.AUTOTUNE):
        check_whole("num_parallel_calls", options.num_parallel_calls, 1)
    calls = _calls(options.num_parallel_calls)
    parallel = {"num_parallel_calls": calls, "deterministic": options.deterministic}
    shuffle = options.shuffles if examples is None else False
    count = examples_of_a_pass(reader, shuffle)
    if drop_remainder and batch_size is not None:
        _check_batch(reader, count, batch_size, shuffle)
    if examples is None:
        examples = _indices(
            reader, EpochCounter() if options.epoch is None else options.epoch, shuffle
        )
    transform = ExampleTransform(reader, processing.transform(options.training, options.repeats))
    workers = load_workers(reader, processing, options, _calls(tf.data.AUTOTUNE), count)
    dataset = tf.data.Dataset.zip((pass_numbers(reader.report), examples))
    reads = calls and calls * _READS_PER_CALL
    if workers is not None:
        reads = max(reads or 0, workers.count + 1)
    first = reading(transform) if workers is None else loading(workers, transform)
    dataset = dataset.map(
        lambda number, example: first(number, *example),
        num_parallel_calls=reads,
        deterministic=options.deterministic,
    )
    if workers is None:
        dataset = dataset.map(transforming(transform), **parallel)
    if reader.on_error != "raise":
        # Without batches, the consumer can tell which examples are missing.
        needed = 0 if batch_size is None else batch_size if drop_remainder else 1
        dataset = end_of_pass(dataset, reader, count, needed)
    if batch_size is not None:
        dataset = check_shapes(dataset, reader, batch_size)
    dataset = dataset.map(lambda example, result, transformed: result)
    if reader.on_error == "skip":
        dataset = nominal_length(dataset, count)
    else:
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    if batch_size is not None:
        dataset = dataset.batch(batch_size, drop_remainder)
    if (finish := processing.finish) is not None:
        dataset = dataset.map(lambda batch, labels: (finish(batch), labels), **parallel)
    return dataset.prefetch(_BATCHES_AHEAD).with_options(_options(options.deterministic, reads))


def examples_of_a_pass(reader, shuffle):
    """Number of examples in a pass; a `shuffle` with a `count` method may use fewer records."""
    records = len(reader.records)
    return shuffle.count(records) if hasattr(shuffle, "count") else records


def _check_batch(reader, count, batch_size, shuffle):
    """Raises a ValueError if the examples do not fill a single batch."""
    if count >= batch_size:
        return
    lists = sorted({str(record.file) for record in reader.records if record.file})
    raise ValueError(
        f"{', '.join(lists) or 'the records'}: received {len(reader.records)} videos and "
        f"batch_size={getattr(shuffle, 'batch_size', batch_size)}, expected at least that many "
        "videos, since smaller batches are dropped; use a smaller batch size"
    )


def _calls(num_parallel_calls):
    """The number of parallel calls; for AUTOTUNE, the number of cores available to the process."""
    if num_parallel_calls != tf.data.AUTOTUNE:
        return num_parallel_calls
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _indices(reader, epoch, shuffle):
    """A dataset of the (epoch, index) of the examples of a pass."""

    def begin(_):
        number = epoch.take()
        return np.int64(number), reader.order(number, shuffle).astype(np.int64)

    def start(number):
        # A stateful call: it runs, and so advances the epoch, at the start of every iteration.
        current, order = numpy_function(begin, [number], [tf.int64, tf.int64])
        order.set_shape([examples_of_a_pass(reader, shuffle)])
        current.set_shape([])
        return tf.data.Dataset.from_tensor_slices(order).map(lambda index: (current, index))

    return tf.data.Dataset.range(1).flat_map(start)


def _options(deterministic, reads):
    options = tf.data.Options()
    # One thread per concurrent read: some of them wait for Python's lock or the disk.
    options.threading.private_threadpool_size = reads or 1
    options.deterministic = deterministic
    # The autotuner overestimates the cost of the reader, which runs in Python: in half of all
    # passes it leaves one of two cores idle.
    options.autotune.enabled = False
    # There are no files to shard by: each worker takes its part of the examples.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return options
