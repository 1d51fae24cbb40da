"""Devices and machines of a training run."""

import atexit
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging
from tensorflow.python.eager import context as tf_context

from keras_video.training.waiting import report_waiting

# Seconds without a heartbeat after which a worker counts as lost.
HEARTBEAT_TIMEOUT = 20


@dataclass(frozen=True)
class Worker:
    """This process among those of a training, as given by the environment variable TF_CONFIG.

    Attributes:
        index: its number; 0 is the chief, which writes the results.
        count: number of processes.
    """

    index: int = 0
    count: int = 1

    @property
    def is_chief(self):
        """Whether this process writes the results."""
        return self.index == 0

    def folder(self, work_dir):
        """The folder that this process writes to: the run's for the chief, else a temporary one.

        All processes save, since reading a variable may require the others to take part.
        """
        if self.is_chief:
            return Path(work_dir)
        folder = Path(tempfile.mkdtemp(prefix=f"worker_{self.index}_"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder


def this_worker():
    """The `Worker` of this process; the only one if TF_CONFIG is not set.

    Raises:
        ValueError: if TF_CONFIG does not name a chief or worker of its cluster.
    """
    index, members = _members()
    return Worker(index, len(members))


def _members():
    """The index of this process, and the addresses of all by name, the chief first."""
    text = os.environ.get("TF_CONFIG")
    if not text:
        return 0, {"worker 0": None}
    try:
        settings = json.loads(text)
        cluster, task = settings["cluster"], settings["task"]
        members = {
            f"{kind} {index}": address
            for kind in ("chief", "worker")
            for index, address in enumerate(cluster.get(kind, ()))
        }
        index = list(members).index(f"{task['type']} {int(task['index'])}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"TF_CONFIG={text!r}: expected a cluster of workers and this process's task in it."
        ) from error
    return index, members


def replicas():
    """The distribution strategy of this process.

    It copies the model to every GPU of this machine, or to its CPU; with several workers in
    TF_CONFIG, on each of their machines. With several workers it must be created before TensorFlow
    runs any operation; it waits for the other workers and reports which are missing.
    """
    if not tf.config.list_physical_devices("GPU"):
        logging.warning(
            "No GPU found, using the CPU. For NVIDIA GPUs: pip install keras-video[cuda]"
        )
    index, members = _members()
    if len(members) > 1:
        own = list(members)[index]
        _set_heartbeat_timeout()
        with report_waiting({name: at for name, at in members.items() if name != own}):
            return WorkersStrategy()
    return tf.distribute.MirroredStrategy()


def _set_heartbeat_timeout(seconds=HEARTBEAT_TIMEOUT):
    """Makes the other workers fail when one has sent no heartbeat for this many seconds.

    TensorFlow's default is 100 seconds. There is no public API to change it.
    """
    context = tf_context.context()
    if context.coordination_service is not None:
        return
    cluster = json.loads(os.environ["TF_CONFIG"])["cluster"]
    jobs = {kind: len(cluster[kind]) for kind in ("chief", "worker") if cluster.get(kind)}
    context.configure_coordination_service(
        service_type="standalone",
        service_leader=f"/job:{next(iter(jobs))}/replica:0/task:0",
        heartbeat_timeout_in_ms=1000 * seconds,
        coordinated_jobs=[
            tf_context.coordination_config_pb2.CoordinatedJob(name=kind, num_tasks=count)
            for kind, count in jobs.items()
        ],
    )


class WorkersStrategy(tf.distribute.MultiWorkerMirroredStrategy):
    """TensorFlow's multi-worker strategy, made compatible with `fit` of Keras 3.

    In a step, Keras 3.15 asks the strategy for the mean of scalars along an axis, which scalars
    do not have, and before the first step for the mean of a whole batch, a tuple, of which
    it reads only the shapes. TensorFlow rejects both.
    """

    def reduce(self, reduce_op, value, axis):
        """Like the base class; scalars have no axis, and structures return local values."""
        if isinstance(value, (tuple, list, dict)):
            return tf.nest.map_structure(
                lambda part: self.experimental_local_results(part)[0], value
            )
        if axis is not None and self.experimental_local_results(value)[0].shape.rank == 0:
            axis = None
        return super().reduce(reduce_op, value, axis)

    def mean_over_workers(self, arrays):
        """The mean of each array over the workers, all of which have to call this.

        Args:
            arrays: NumPy arrays of the same shapes in every worker.
        """

        def mean(*values):
            # The copies are on the replica's device, which the reduction needs to know.
            values = tf.nest.map_structure(tf.identity, values)
            return tf.distribute.get_replica_context().all_reduce("MEAN", values)

        means = tf.function(lambda: self.run(mean, args=tuple(arrays)))()
        return [self.experimental_local_results(value)[0].numpy() for value in means]


def check_workers(worker, row, drop_remainder=True, on_error="raise"):
    """Raises a ValueError for settings that several workers do not support.

    Multigrid changes the batch during training; a smaller last batch cannot be split among
    workers, and multigrid has none. If examples are skipped, the workers' passes differ in length,
    and some have no clips for the last steps.
    """
    if worker.count > 1 and on_error == "skip":
        raise ValueError(
            f"received on_error='skip', TF_CONFIG names {worker.count} workers: expected 'replace' "
            "or 'raise', so that all workers have the same number of batches."
        )
    if not drop_remainder and (worker.count > 1 or row.multigrid):
        raise ValueError(
            "drop_remainder=False: expected a single process and a row without multigrid, "
            f"received {worker.count} and {row.name}."
        )
    if worker.count > 1 and row.multigrid:
        raise ValueError(
            f"{row.name} trains with multigrid: expected a single process, TF_CONFIG names "
            f"{worker.count} workers. A process uses all GPUs of its machine."
        )


@dataclass(frozen=True)
class WorkerShard:
    """The examples that one of several workers reads in a pass: the `shuffle` of a dataset.

    The workers' batches together are the batches of a single process in the same order.

    Args:
        worker: this process.
        batch_size: examples of a batch over all workers, a multiple of their number.
        order: `order(records, generator)` returns the examples of a pass; if not given, each
            example once.
    """

    worker: Worker
    batch_size: int
    order: object = None

    def count(self, examples):
        """Examples that this worker reads in a pass; an incomplete last batch is dropped."""
        return examples // self.batch_size * (self.batch_size // self.worker.count)

    def __call__(self, records, generator):
        order = (
            self.order(records, generator) if self.order else generator.permutation(len(records))
        )
        batches = len(order) // self.batch_size
        parts = np.reshape(order[: batches * self.batch_size], (batches, self.worker.count, -1))
        return parts[:, self.worker.index].ravel()


def worker_batch_options(worker, batch_size, strategy, order=None):
    """Loader options of a worker: the size of its batches, and which examples it reads.

    Args:
        order: returns the examples of a pass, such as a `ClassBalanced`; if not given, each
            example once.

    Raises:
        ValueError: if the batch cannot be split evenly.
    """
    copies = strategy.num_replicas_in_sync
    if worker.count == 1:
        return {"batch_size": batch_size, "shuffle": order}
    if batch_size % copies:
        raise ValueError(f"batch_size={batch_size}: expected a multiple of {copies} replicas.")
    return {"batch_size": batch_size // copies, "shuffle": WorkerShard(worker, batch_size, order)}


def distributed_dataset(worker, strategy, dataset):
    """A dataset of this worker's own examples as a distributed dataset of the strategy."""
    if worker.count == 1:
        return dataset
    return strategy.distribute_datasets_from_function(lambda context: dataset)
