"""Loading on other machines through `tf.data.service`.

One process is the dispatcher, any number of others are workers, on machines that see the same
files (`recipes/serve_data.py` starts both). The training reads what they make:

    train = data.served_dataset(records, service="grpc://host:5000", epochs=100, ...)
    model.fit(train, steps_per_epoch=len(train) // 100, epochs=100)

Reading is Python code, which TensorFlow does not send to workers: they must run this package, in
the version of the training. Settings and records travel as pickles; like `tf.data.service` itself
this is for networks whose machines trust each other.
"""

import dataclasses
import functools
import pickle

import numpy as np
import tensorflow as tf
from tensorflow.python.ops import script_ops

from ..sources.videos import Videos
from .clip_reader import ClipReader, check_options, label_length
from .clips import video_step
from .liveness import watched
from .passes import nominal_length
from .python_calls import check_process, guarded
from .report import DecodeReport

# The name by which the graph that is sent to workers finds `_answer` there.
_TOKEN = "keras_video.data.service"
# Of the client: they count and put batches together.
_THREADS = 4


def served_dataset(
    records,
    *,
    service,
    sampling,
    steps,
    source=None,
    epochs=1,
    start_epoch=0,
    view_frames=None,
    batch_size=8,
    training=False,
    seed=0,
    classes=None,
    multi_label=None,
    shuffle=None,
    on_error="raise",
    num_parallel_calls=tf.data.AUTOTUNE,
    drop_remainder=False,
):
    """Clips of the examples that `records` name, read and prepared by the workers of a service.

    Every example comes once in each epoch, with the draws that `dataset_from_records` makes for
    it; but as workers are not equally fast, order and batches differ from run to run.

    Args:
        records: sequence of `Record`.
        service: address of the dispatcher, `"grpc://host:port"`.
        sampling, steps, source, view_frames, batch_size, training, seed, classes, multi_label,
            drop_remainder: see `dataset_from_records`.
        epochs: passes that the dataset has, one after the other.
        start_epoch: the first of them; for a run that is resumed.
        shuffle: whether each epoch has its own order; None shuffles in training.
        on_error: "raise" or "skip"; workers log what does not decode.
        num_parallel_calls: examples that a worker works on at the same time.

    Returns:
        A `tf.data.Dataset` of `(clips, labels)` as `dataset_from_records` gives it, of all epochs.
        When the dispatcher or a worker is gone for half a minute, or examples were lost with one,
        iterating raises an error that says so.

    Raises:
        ValueError: options that contradict each other.
    """
    check_process()
    check_options(on_error, seed)
    if on_error == "replace":
        raise ValueError("received on_error='replace', expected 'raise' or 'skip' with a service")
    if not 0 <= start_epoch < epochs:
        raise ValueError(f"received start_epoch={start_epoch}, epochs={epochs}")
    source, records = Videos() if source is None else source, tuple(records)
    length = label_length(records, classes, multi_label)
    settings = (sampling, training, int(seed), length, on_error, source)
    shuffle = training if shuffle is None else bool(shuffle)
    read = _reading(settings, records, shuffle)
    step = video_step(tuple(steps), view_frames, training)
    positions = tf.data.Dataset.range(start_epoch * len(records), epochs * len(records))
    dataset = positions.map(read, num_parallel_calls)
    dataset = dataset.map(lambda *read: _stepped(step, *read))
    dataset = dataset.apply(
        tf.data.experimental.service.distribute(
            # Whichever worker is free takes the next example, and nobody else does.
            processing_mode=tf.data.experimental.service.ShardingPolicy.DYNAMIC,
            service=service,
            compression=None,
        )
    )
    count = (epochs - start_epoch) * len(records)
    # Those that were not decoded come too: what is missing behind the service was lost.
    dataset = watched(dataset, service, count)
    dataset = dataset.filter(lambda result, decoded: decoded).map(lambda result, _: result)
    if on_error == "raise":
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    else:
        dataset = nominal_length(dataset, count)
    options = tf.data.Options()
    # Apart from the threads that train: one of these waits all the time.
    options.threading.private_threadpool_size = _THREADS
    dataset = dataset.batch(batch_size, drop_remainder).prefetch(2)
    return dataset.with_options(options)


def _stepped(step, frames, label, seed, decoded):
    """`(result, decoded)` of what was read; nothing where it was not decoded."""
    made = tf.function(step).get_concrete_function(*map(_spec, (frames, label, seed)))
    specs = made.structured_outputs

    def nothing():
        return tf.nest.map_structure(
            lambda spec: tf.zeros([size or 0 for size in spec.shape], spec.dtype), specs
        )

    return tf.cond(decoded, lambda: step(frames, label, seed), nothing), decoded


def _spec(tensor):
    return tf.TensorSpec(tensor.shape, tensor.dtype)


def serve_dispatcher(port=0):
    """Starts the dispatcher of a service in this process.

    Args:
        port: where it listens; 0 takes a free one.

    Returns:
        A `tf.data.experimental.service.DispatchServer`, whose `target` is its address. It ends
        with the process, or when it is no longer referred to.
    """
    config = tf.data.experimental.service.DispatcherConfig(port=port)
    return tf.data.experimental.service.DispatchServer(config)


def serve_worker(dispatcher, address=None, port=0):
    """Starts a worker of a service in this process.

    Args:
        dispatcher: address of the dispatcher, `"host:port"`.
        address: by which the training reaches this worker, with `%port%` for the port; None takes
            `localhost`, which serves on one machine only.
        port: where it listens; 0 takes a free one.

    Returns:
        A `tf.data.experimental.service.WorkerServer`; it ends with the process, or when it is no
        longer referred to.
    """
    config = tf.data.experimental.service.WorkerConfig(
        dispatcher_address=dispatcher.removeprefix("grpc://"), worker_address=address, port=port
    )
    return tf.data.experimental.service.WorkerServer(config)


def _reading(settings, records, shuffle):
    """The function from an example's position in all epochs to what was read."""
    packed_settings = pickle.dumps((*settings, shuffle, len(records)))
    packed_records = tf.constant([pickle.dumps(record) for record in records])
    reader = _reader(packed_settings)
    labels = ([], tf.int32) if reader.classes is None else ([reader.classes], tf.float32)
    specs = (
        tf.TensorSpec(reader.shape, reader.source.dtype),
        tf.TensorSpec(*labels),
        tf.TensorSpec([2], tf.int32),
        tf.TensorSpec([], tf.bool),
    )

    def read(position):
        numbers = (tf.TensorSpec([], tf.int64),) * 2
        epoch, index = _ask("place", [packed_settings, position], numbers)
        record = tf.gather(packed_records, index)
        return _ask("example", [packed_settings, epoch, index, record], specs)

    return read


def _ask(question, arguments, specs):
    """What a worker's `_answer` says, as tensors."""
    types = [spec.dtype for spec in specs]
    values = tf.raw_ops.PyFuncStateless(input=[question, *arguments], token=_TOKEN, Tout=types)
    for value, spec in zip(values, specs, strict=True):
        value.set_shape(spec.shape)
    return tuple(values)


@guarded
def _answer(question, packed_settings, *arguments):
    if question == b"place":
        return _place(packed_settings, int(arguments[0]))
    epoch, index, record = arguments
    # One record at a time: a reader with all of them would have to be sent to every worker.
    reader = dataclasses.replace(_reader(packed_settings), records=(pickle.loads(record),))
    example = reader.read(epoch, index)
    reader.report.log()
    return tuple(example)[:4]  # service readers have no `crop`


@functools.lru_cache(maxsize=8)
def _reader(packed_settings):
    sampling, training, seed, classes, on_error, source, _, _ = pickle.loads(packed_settings)
    return ClipReader((), sampling, training, seed, classes, on_error, DecodeReport(), source)


def _place(packed_settings, position):
    """Epoch and index of the example at a position in all epochs."""
    count = pickle.loads(packed_settings)[-1]
    epoch, place = divmod(position, count)
    return np.int64(epoch), np.int64(_order(packed_settings, epoch)[place])


@functools.lru_cache(maxsize=4)
def _order(packed_settings, epoch):
    *_, shuffle, count = pickle.loads(packed_settings)
    reader = dataclasses.replace(_reader(packed_settings), records=range(count))
    return reader.order(epoch, shuffle)


# `tf.numpy_function` would name the function by a counter of this process, by which workers know
# another function or none. TensorFlow has no public way to choose the name.
script_ops._py_funcs._funcs[_TOKEN] = _answer
