"""Training with JAX on DEVICES virtual CPUs: `jax_data_parallel_run.py DEVICES FILE`.

Writes the losses per epoch, the scores and the number of devices of a weight to FILE (npz).
"""

import sys

import jax
import keras
import numpy as np

from keras_video import applications, training


def networks():
    """A transformer, and an image model with batch normalization over frames."""
    yield applications.TimeSformer(
        input_shape=(2, 32, 32, 3), classes=3, embed_dim=32, num_heads=2, num_layers=1, drop_path=0
    )
    image = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(8, 3, 2, use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    )
    yield applications.TSN(backbone=image, input_shape=(2, 32, 32, 3), classes=3, dropout=0)


def main(devices, file):
    assert len(jax.devices()) == int(devices)
    if int(devices) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel())
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    clips = random.normal(size=(16, 2, 32, 32, 3)).astype("float32")
    labels = random.integers(0, 3, 16)
    losses, scores, used = [], [], []
    for model in networks():
        optimizer = training.SGD(0.05, weight_decay=1e-3, global_clipnorm=1.0)
        model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
        history = model.fit(clips, labels, batch_size=8, epochs=3, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
        scores.append(model.predict(clips, batch_size=8, verbose=0))
        used.append(len(model.trainable_variables[0].value.sharding.device_set))
    np.savez(file, losses=losses, scores=scores, used=used)


if __name__ == "__main__":
    main(*sys.argv[1:])
