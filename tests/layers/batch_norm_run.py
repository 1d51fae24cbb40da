"""Two steps of batch norms on the backend of this process: `batch_norm_run.py FILE`.

Writes the moving variance of a norm after them (`plain`), after two more steps with frozen
statistics (`held`), recomputed (`precise`) and, on TensorFlow, of a synchronized norm on two
replicas, which receive two clips each, then two and one (`shared`).
"""

import sys

import keras
import numpy as np

from keras_video.layers import BatchNormalization
from keras_video.training import hold_statistics, precise_statistics

CLIPS = np.random.default_rng(0).normal(size=(7, 2, 3, 3, 4)).astype("float32")


def trained(synchronized=False):
    """A model with a norm, trained one step on four and one on three clips, of unknown length."""
    clip = keras.Input((None, None, None, 4))
    norm = BatchNormalization(momentum=0.9, synchronized=synchronized, name="norm")
    x = keras.layers.GlobalAveragePooling3D()(norm(clip))
    model = keras.Model(clip, keras.layers.Dense(2)(x))
    model.compile("sgd", "mse")
    fit(model)
    return model


def fit(model):
    model.fit(CLIPS, np.zeros((7, 2), "float32"), batch_size=4, shuffle=False, verbose=0)


def variance(model):
    return keras.ops.convert_to_numpy(model.get_layer("norm").moving_variance)


def main(file):
    variances = {}
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * 2
        )
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            variances["shared"] = variance(trained(synchronized=True))
    model = trained()
    variances["plain"] = variance(model)
    held = hold_statistics(model)
    held.compile("sgd", "mse")
    fit(held)
    variances["held"] = variance(held)
    precise_statistics(model, [CLIPS[:2], CLIPS[2:]])
    variances["precise"] = variance(model)
    np.savez(file, **variances)


if __name__ == "__main__":
    main(sys.argv[1])
