"""Batch normalization in one worker process of TF_CONFIG; writes its statistics to FILE.

`precise_workers_run.py FILE [followed]`: worker i has three batches with values around 10 i,
in each of two epochs. The statistics are precise ones, or moving averages with "followed".
"""

import sys

import keras
import numpy as np

from keras_video.training import PreciseBatchNorm
from keras_video.training.distribution import distributed_dataset, replicas, this_worker
from keras_video.training.shared_statistics import SharedNormStatistics

MOMENTUM = 0.7


def batches(worker):
    """Three batches `(4, 2)` of a worker, with different means and variances."""
    rng = np.random.default_rng(worker)
    scales = np.arange(1, 4).reshape(3, 1, 1)
    return (10 * worker + scales * rng.normal(size=(3, 4, 2))).astype("float32")


def main(path, kind="precise"):
    import tensorflow as tf

    strategy, worker = replicas(), this_worker()
    with strategy.scope():
        inputs = keras.Input((2,))
        norm = keras.layers.BatchNormalization(momentum=MOMENTUM)
        model = keras.Model(inputs, keras.layers.Dense(1)(norm(inputs)))
        model.compile("sgd", "mse")
    data = [(batch, np.zeros((4, 1), "float32")) for batch in batches(worker.index)]
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(data), output_signature=(tf.TensorSpec((4, 2)), tf.TensorSpec((4, 1)))
    ).apply(tf.data.experimental.assert_cardinality(3))
    model.fit(
        distributed_dataset(worker, strategy, dataset),
        epochs=2,
        callbacks=[
            PreciseBatchNorm(dataset) if kind == "precise" else SharedNormStatistics(strategy)
        ],
        verbose=0,
        shuffle=False,
    )
    np.savez(path, mean=norm.moving_mean.numpy(), variance=norm.moving_variance.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
