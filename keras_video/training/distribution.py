"""Devices and machines of a training."""

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


@dataclass(frozen=True)
class Worker:
    """This process among those of a training, as the variable TF_CONFIG tells.

    Attributes:
        index: its number; 0 is the chief, which writes.
        count: number of processes.
    """

    index: int = 0
    count: int = 1

    @property
    def is_chief(self):
        """Whether this process writes the results."""
        return self.index == 0

    def folder(self, work_dir):
        """The folder that this process writes to: the chief's stays, others are temporary.

        All processes save alike, since reading a variable may take the others to answer.
        """
        if self.is_chief:
            return Path(work_dir)
        folder = Path(tempfile.mkdtemp(prefix=f"worker_{self.index}_"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder


def this_worker():
    """The `Worker` of this process; the only one where TF_CONFIG is not set.

    Raises:
        ValueError: if TF_CONFIG does not name a chief or worker of its cluster.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return Worker()
    try:
        settings = json.loads(text)
        cluster, task = settings["cluster"], settings["task"]
        members = [("chief", i) for i in range(len(cluster.get("chief", ())))]
        members += [("worker", i) for i in range(len(cluster.get("worker", ())))]
        index = members.index((task["type"], int(task["index"])))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"TF_CONFIG={text!r}: expected a cluster of workers and this process's task in it."
        ) from error
    return Worker(index, len(members))


def replicas():
    """The strategy of this process.

    It copies the model to every GPU of this machine, or to its CPU; with several workers in
    TF_CONFIG, on each of their machines. Then it must be made before TensorFlow computes.
    """
    if not tf.config.list_physical_devices("GPU"):
        logging.warning(
            "No GPU was found, the CPU computes. For NVIDIA's: pip install keras-video[cuda]"
        )
    if this_worker().count > 1:
        return WorkersStrategy()
    return tf.distribute.MirroredStrategy()


class WorkersStrategy(tf.distribute.MultiWorkerMirroredStrategy):
    """TensorFlow's strategy of several workers, with which Keras 3 can `fit`.

    Keras 3.15 asks the strategy of a step for the mean of its scalars along an axis, which scalars
    do not have, and before the first step for the mean of a whole batch, a tuple, of which
    it reads only the shapes. TensorFlow refuses both.
    """

    def reduce(self, reduce_op, value, axis):
        """As the parent; scalars have no axis, and of a structure this worker's first values."""
        if isinstance(value, (tuple, list, dict)):
            return tf.nest.map_structure(lambda one: self.experimental_local_results(one)[0], value)
        if axis is not None and self.experimental_local_results(value)[0].shape.rank == 0:
            axis = None
        return super().reduce(reduce_op, value, axis)

    def mean_over_workers(self, arrays):
        """The mean of each array over the workers, all of which have to ask for it.

        Args:
            arrays: NumPy arrays, of the same shapes in every worker.
        """

        def mean(*values):
            # Copies lie on the replica's device, which the reduction wants to know.
            values = tf.nest.map_structure(tf.identity, values)
            return tf.distribute.get_replica_context().all_reduce("MEAN", values)

        means = tf.function(lambda: self.run(mean, args=tuple(arrays)))()
        return [self.experimental_local_results(one)[0].numpy() for one in means]


def check_workers(worker, row, drop_remainder=True):
    """Raises a ValueError for what several workers do not do.

    Multigrid changes the batch as it goes; a last batch that is smaller cannot be shared out, and
    multigrid has none.
    """
    if not drop_remainder and (worker.count > 1 or row.multigrid):
        raise ValueError(
            f"--nodrop_remainder: expected a single process and a row without multigrid, received "
            f"{worker.count} and {row.name}."
        )
    if worker.count > 1 and row.multigrid:
        raise ValueError(
            f"{row.name} trains with multigrid: expected a single process, TF_CONFIG names "
            f"{worker.count} workers. A process uses all GPUs of its machine."
        )


@dataclass(frozen=True)
class WorkersShare:
    """The examples of a pass that one of several workers reads: the `shuffle` of a dataset.

    The workers' batches together are the batches of a single process in the same order.

    Args:
        worker: this process.
        batch_size: examples of a batch over all workers, a multiple of their number.
        order: `order(records, generator)` gives the examples of a pass; each once if not given.
    """

    worker: Worker
    batch_size: int
    order: object = None

    def count(self, examples):
        """Examples that this worker reads of a pass; the last ones, too few, are left out."""
        return examples // self.batch_size * (self.batch_size // self.worker.count)

    def __call__(self, records, generator):
        order = (
            self.order(records, generator) if self.order else generator.permutation(len(records))
        )
        batches = len(order) // self.batch_size
        shares = np.reshape(order[: batches * self.batch_size], (batches, self.worker.count, -1))
        return shares[:, self.worker.index].ravel()


def share_of_batches(worker, batch_size, strategy, order=None):
    """What the loader of a worker is told: the size of its batches, and which examples are its.

    Args:
        order: gives the examples of a pass, such as a `ClassBalanced`; each once if not given.

    Raises:
        ValueError: if the batch cannot be shared out evenly.
    """
    copies = strategy.num_replicas_in_sync
    if worker.count == 1:
        return {"batch_size": batch_size, "shuffle": order}
    if batch_size % copies:
        raise ValueError(f"batch_size={batch_size}: expected a multiple of {copies} replicas.")
    share = WorkersShare(worker, batch_size, order)
    return {"batch_size": batch_size // copies, "shuffle": share}


def shared_dataset(worker, strategy, dataset):
    """A dataset of this worker's own examples as one of the strategy."""
    if worker.count == 1:
        return dataset
    return strategy.distribute_datasets_from_function(lambda context: dataset)
