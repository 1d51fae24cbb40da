"""Remote preprocessing: loading on other machines.

One process is the dispatcher, any number of others are workers, on machines that can access the
same files (`keras-video serve-data` starts both). Training reads their output:

    train = data.served_dataset(records, service="host:5000", epochs=100, ...)
    model.fit(train, steps_per_epoch=len(train) // 100, epochs=100)

Settings and records are sent as JSON, clips as raw arrays. A worker only builds samplers, sources
and transforms of this package, and dataclasses that it was started with; it runs no code sent by a
client. Anyone who can connect to a worker can make it read videos and images, limited to a folder
if it was started with one. Nothing is encrypted.
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
    """Clips of the examples in `records`, read and prepared by the workers of a service.

    Each epoch has every example once, with the random draws and in the order of
    `dataset_from_records`. If a worker is lost, another one reads its pending examples.

    Args:
        records: sequence of `Record`.
        service: address of the dispatcher, `"host:port"`.
        sampling, transforms, source, view_frames, batch_size, training, seed, classes, multi_label,
            drop_remainder: see `dataset_from_records`.
        epochs: number of consecutive passes in the dataset.
        start_epoch: the first of them, for a resumed run.
        shuffle: whether each epoch has its own order; None shuffles in training.
        on_error: "raise" or "skip"; workers log examples that fail to decode.
        num_parallel_calls: examples that all workers together process in parallel.

    Returns:
        A `tf.data.Dataset` of `(clips, labels)` of all epochs, see `dataset_from_records`.

    Raises:
        ValueError: for options that contradict each other, or settings that cannot be sent.
        tf.errors.InvalidArgumentError: during iteration, if a video fails to decode or no worker
            answers for half a minute.
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
        epoch, offset = divmod(int(position), len(records))
        index = int(order(epoch, options.shuffles)[offset])
        example = client.example(epoch, index)
        return (*(example or servers.zeros_like_specs(specs)), np.bool_(example is not None))

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
        port: port to listen on; 0 picks a free one.
        host: address to listen on. The default accepts only this machine; "0.0.0.0" accepts all
            others.

    Returns:
        A `Dispatcher`, whose `target` is its address. It runs until the process exits or `stop()`.
    """
    return servers.Dispatcher(host, port)


def serve_worker(dispatcher, address=None, port=0, host="127.0.0.1", *, root=None, known=()):
    """Starts a worker of a service in this process.

    Args:
        dispatcher: address of the dispatcher, `"host:port"`.
        address: address at which clients reach this worker, with `%port%` for the port; None uses
            `host`.
        port: port to listen on; 0 picks a free one.
        host: address to listen on. The default accepts only this machine.
        root: the only folder to read from; None allows all files.
        known: further dataclasses that clients may use as sampler, source or transform.

    Returns:
        A `Worker`; it runs until the process exits or `stop()`.

    Raises:
        ValueError: if an address is malformed, or `host` is not one that others can reach.
    """
    if address is None and host in ("0.0.0.0", "::"):
        raise ValueError(
            f"received host={host!r} without address, expected the address of the worker"
        )
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
    """Shapes and dtypes of clip and label."""
    traced = tf.function(transform).get_concrete_function(*servers.example_specs(reader))
    return [tf.TensorSpec(output.shape, output.dtype) for output in traced.structured_outputs]
