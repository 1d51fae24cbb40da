"""Multi-worker training that runs until it is killed: `endless_workers_run.py STARTED`.

Touches the file STARTED after its first step.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_video.training.distribution import distributed_dataset, replicas, this_worker


def main(started):
    strategy = replicas()
    with strategy.scope():
        inputs = keras.Input((4,))
        model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
        model.compile("sgd", "mse")
    random = np.random.default_rng(0)
    examples = random.normal(size=(8, 4)), random.normal(size=(8, 2))
    batches = tf.data.Dataset.from_tensor_slices(examples).batch(4).repeat(1_000_000)
    marker = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batch or Path(started).touch()
    )
    train = distributed_dataset(this_worker(), strategy, batches)
    model.fit(train, callbacks=[marker], verbose=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
