"""A small training run in a separate process: `resumed_run.py FOLDER [KILL_AT]`.

It kills itself with SIGKILL at KILL_AT: "batch" (in the middle of epoch 3), "log" (end of epoch
4, everything written but the backup) or "weights" (end of epoch 4, the backup's weights written
but not its record). At the end it writes all weights to FOLDER/final.npz.
"""

import os
import signal
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_video.training import (
    SGD,
    CosineSchedule,
    EpochSeed,
    MultiViewEvaluation,
    resume,
    training_callbacks,
)

EPOCHS, STEPS, BATCH = 6, 6, 4


class Counter:
    """Counts passes over the data, as keras_video.data.EpochCounter does."""

    value = 0

    def take(self):
        self.value += 1
        return self.value - 1


def dataset(counter):
    def batches():
        random = np.random.default_rng([7, counter.take()])
        for _ in range(STEPS):
            labels = random.integers(0, 3, BATCH)
            noise = random.normal(size=(BATCH, 2, 6, 6, 3))
            yield (noise + labels[:, None, None, None, None]).astype("float32"), labels

    signature = (
        tf.TensorSpec((None, 2, 6, 6, 3), tf.float32),
        tf.TensorSpec((None,), tf.int64),
    )
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    return data.apply(tf.data.experimental.assert_cardinality(STEPS)).prefetch(2)


def network():
    inputs = keras.Input((2, 6, 6, 3))
    x = keras.layers.Conv3D(8, (1, 3, 3), name="conv1_conv")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.9, name="conv1_bn")(x)
    x = keras.layers.GlobalAveragePooling3D()(keras.layers.ReLU()(x))
    x = keras.layers.Dropout(0.4)(x)
    x = keras.layers.Dense(3, name="fc_cls")(x)
    outputs = keras.layers.Activation("softmax", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs)


class Killer(keras.callbacks.Callback):
    """Kills the process at a given point."""

    def __init__(self, point):
        super().__init__()
        self.point = point
        self.epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.point == "batch" and (self.epoch, batch) == (2, 3):
            die()

    def on_epoch_end(self, epoch, logs=None):
        if self.point == "log" and epoch == 3:
            die()


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder, point=None):
    keras.utils.set_random_seed(5)
    tf.config.experimental.enable_op_determinism()
    counter = Counter()
    model = network()
    schedule = CosineSchedule(0.1, EPOCHS, steps_per_epoch=STEPS)
    model.compile(SGD(schedule, weight_decay=1e-3), "sparse_categorical_crossentropy")
    views = np.random.default_rng(0).normal(size=(5, 2, 2, 6, 6, 3)).astype("float32")
    evaluation = MultiViewEvaluation([(views, np.arange(5) % 3)], every=2, verbose=0)
    callbacks = training_callbacks(folder, [EpochSeed(counter), evaluation])
    callbacks.insert(-1, Killer(point))
    if point == "weights":
        write = resume.write_state
        resume.write_state = lambda folder, state: (
            die() if state.epoch == 4 else write(folder, state)
        )
    model.fit(dataset(counter), epochs=EPOCHS, callbacks=callbacks, verbose=0)
    weights = {f"{i:02d}_{w.path}": np.array(w) for i, w in enumerate(model.weights)}
    steps = {"iterations": np.array(model.optimizer.iterations), "taken": counter.value}
    buffers = {f"buffer_{i}": np.array(v) for i, v in enumerate(model.optimizer.variables)}
    np.savez(Path(folder) / "final.npz", **weights, **steps, **buffers)


if __name__ == "__main__":
    main(*sys.argv[1:])
