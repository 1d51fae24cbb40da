"""What the backend computes on."""

import keras


def on_gpu():
    """Whether the backend computes on a GPU."""
    return keras.distribution.list_devices()[0].startswith("gpu")


def on_jax_gpu():
    """Whether JAX computes on a GPU."""
    return keras.backend.backend() == "jax" and on_gpu()
