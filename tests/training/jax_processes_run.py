"""Training with JAX in COUNT processes: `jax_processes_run.py NUMBER COUNT PORT FILE`.

Every process has a part of each batch. The first one writes the losses per epoch and the weights,
with and without gradient accumulation, to FILE (npz).
"""

import sys

import jax

NUMBER, COUNT, PORT = map(int, sys.argv[1:4])
jax.config.update("jax_cpu_collectives_implementation", "gloo")
if COUNT > 1:
    jax.distributed.initialize(f"localhost:{PORT}", COUNT, NUMBER)

import keras  # noqa: E402
import numpy as np  # noqa: E402

from keras_video import applications, training  # noqa: E402

BATCH = 8


def local_part(arrays):
    """The part of every batch that belongs to this process."""
    batches = arrays.reshape(-1, COUNT, BATCH // COUNT, *arrays.shape[1:])
    return batches[:, NUMBER].reshape(-1, *arrays.shape[1:])


def main(file):
    assert len(jax.devices()) == COUNT and len(jax.local_devices()) == 1
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=jax.devices(), auto_shard_dataset=False)
    )
    random = np.random.default_rng(0)
    clips = random.normal(size=(4 * BATCH, 2, 32, 32, 3)).astype("float32")
    labels = random.integers(0, 3, 4 * BATCH)
    results = {}
    for steps in (None, 2):
        keras.utils.set_random_seed(0)
        shape = {"input_shape": (2, 32, 32, 3), "classes": 3}
        model = applications.TimeSformer(
            embed_dim=32, num_heads=2, num_layers=1, drop_path=0, **shape
        )
        optimizer = training.SGD(0.05, momentum=0.9, gradient_accumulation_steps=steps)
        model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=True)
        history = model.fit(
            local_part(clips),
            local_part(labels),
            batch_size=BATCH // COUNT,
            epochs=3,
            shuffle=False,
            verbose=0,
        )
        results[f"losses {steps}"] = history.history["loss"]
        for number, variable in enumerate(model.trainable_variables):
            results[f"weight {steps} {number}"] = np.asarray(variable.value.addressable_data(0))
    if NUMBER == 0:
        np.savez(file, **results)


if __name__ == "__main__":
    main(sys.argv[4])
