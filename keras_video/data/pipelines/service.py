"""Loading on other machines.

One process is the dispatcher, any number of others are workers, on machines that see the same
files (`keras-video serve-data` starts both). The training reads what they make:

    train = data.served_dataset(records, service="host:5000", epochs=100, ...)
    model.fit(train, steps_per_epoch=len(train) // 100, epochs=100)

Settings and records travel as JSON, clips as numbers. A worker makes what they describe of the
samplers, sources and transforms of this package, and of dataclasses that it was started with; it
runs nothing that a client sends. Whoever reaches a worker can have it read videos and images, those
of a folder alone if it was started with one. Nothing is encrypted.
"""

import functools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import tensorflow as tf

from ..annotations.records import Record
from ..sampling import check_whole
from ..sources.videos import Source, Videos
from ..transforms.basic import Transform
from . import servers
from .clip_reader import OnError, reader_of
from .options import LoaderOptions
from .processing import Processing, video_transform
from .service_client import Client
from .specs import encode


def served_dataset(
    records: Sequence[Record],
    *,
    service: str,
    sampling: Callable,
    transforms: Iterable[Transform],
    source: Source | None = None,
    epochs: int = 1,
    start_epoch: int = 0,
    view_frames: int | None = None,
    batch_size: int = 8,
    training: bool = False,
    seed: int = 0,
    classes: int | None = None,
    multi_label: bool | None = None,
    shuffle: bool | Callable | None = None,
    on_error: OnError = "raise",
    num_parallel_calls: int = 16,
    drop_remainder: bool = False,
) -> tf.data.Dataset:
    """Clips of the examples that `records` name, read and prepared by the workers of a service.

    Every example comes once in each epoch, with the draws and in the order of
    `dataset_from_records`. What a worker had begun when it was lost is read by another.

    Args:
        records: sequence of `Record`.
        service: address of the dispatcher, `"host:port"`.
        sampling, transforms, source, view_frames, batch_size, training, seed, classes, multi_label,
            drop_remainder: see `dataset_from_records`.
        epochs: passes that the dataset has, one after the other.
        start_epoch: the first of them; for a run that is resumed.
        shuffle: whether each epoch has its own order; None shuffles in training.
        on_error: "raise" or "skip"; workers log what does not decode.
        num_parallel_calls: examples that all workers work on at the same time.

    Returns:
        A `tf.data.Dataset` of `(clips, labels)` as `dataset_from_records` gives it, of all epochs.

    Raises:
        ValueError: options that contradict each other, or settings that workers do not take.
        tf.errors.InvalidArgumentError: while it is iterated: a video does not decode, or for half a
            minute no worker answers.
    """
    options = LoaderOptions.of(locals())
    processing = Processing.of_transforms(sampling, transforms, view_frames)
    check_whole("batch_size", batch_size, 1)
    if on_error == "replace":
        raise ValueError("received on_error='replace', expected 'raise' or 'skip' with a service")
    if not 0 <= start_epoch < epochs:
        raise ValueError(f"received start_epoch={start_epoch}, epochs={epochs}")
    source, records = Videos() if source is None else source, tuple(records)
    reader = reader_of(records, source, sampling, options)
    client = Client(service, _description(reader, processing), records)
    order = functools.lru_cache(maxsize=4)(reader.order)
    specs = _specs(reader, video_transform(processing.all_transforms, view_frames, training))

    def ask(position):
        epoch, place = divmod(int(position), len(records))
        index = int(order(epoch, options.shuffles)[place])
        found = client.example(epoch, index)
        return (*(found or servers.nothing_like(specs)), np.bool_(found is not None))

    def read(position):
        types = [*(spec.dtype for spec in specs), tf.bool]
        *values, decoded = tf.numpy_function(ask, [position], types)
        for value, spec in zip(values, specs, strict=True):
            value.set_shape(spec.shape)
        decoded.set_shape([])
        return (*values, decoded)

    positions = tf.data.Dataset.range(start_epoch * len(records), epochs * len(records))
    dataset = positions.map(read, num_parallel_calls)
    if on_error == "skip":
        dataset = dataset.filter(lambda clip, label, decoded: decoded)
    dataset = dataset.map(lambda clip, label, _: (clip, label))
    return dataset.batch(batch_size, drop_remainder).prefetch(2)


def serve_dispatcher(port=0, host="127.0.0.1"):
    """Starts the dispatcher of a service in this process.

    Args:
        port: where it listens; 0 takes a free one.
        host: address of this machine at which it listens. Default: for this machine alone;
            "0.0.0.0" lets all others in.

    Returns:
        A `Dispatcher`, whose `target` is its address. It ends with the process or by `stop()`.
    """
    return servers.Dispatcher(host, port)


def serve_worker(dispatcher, address=None, port=0, host="127.0.0.1", *, root=None, known=()):
    """Starts a worker of a service in this process.

    Args:
        dispatcher: address of the dispatcher, `"host:port"`.
        address: by which the training reaches this worker, with `%port%` for the port; None takes
            `host`.
        port: where it listens; 0 takes a free one.
        host: address of this machine at which it listens. Default: for this machine alone.
        root: folder outside of which nothing is read; None leaves it to the training.
        known: dataclasses besides those of this package that a training may use as sampler, source
            or transform.

    Returns:
        A `Worker`; it ends with the process or by `stop()`.

    Raises:
        ValueError: an address is malformed, or `host` is none that others could reach.
    """
    if address is None and host in ("0.0.0.0", "::"):
        raise ValueError(f"received host={host!r} without address, expected the worker's name")
    return servers.Worker(dispatcher, address, host, port, root, known)


def _description(reader, processing):
    settings = {
        "sampling": reader.sampling,
        "source": reader.source,
        "transforms": processing.all_transforms,
        "view_frames": processing.view_frames,
        "training": bool(reader.training),
        "seed": reader.seed,
        "classes": reader.classes,
        "on_error": reader.on_error,
    }
    return {"dict": [[key, encode(value, key)] for key, value in settings.items()]}


def _specs(reader, transform):
    """Shapes and types of clip and label."""
    traced = tf.function(transform).get_concrete_function(*servers.example_specs(reader))
    return [tf.TensorSpec(one.shape, one.dtype) for one in traced.structured_outputs]
