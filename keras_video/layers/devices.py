"""What a layer runs on: the backend's device, or a runtime other than the backend."""

import contextlib
import contextvars

import keras

_for_another_runtime = contextvars.ContextVar("for_another_runtime", default=False)


@contextlib.contextmanager
def for_another_runtime():
    """Context in which layers are traced for export to another runtime, such as ONNX."""
    token = _for_another_runtime.set(True)
    try:
        yield
    finally:
        _for_another_runtime.reset(token)


def is_for_another_runtime():
    """Whether to avoid forms that are fast on TensorFlow only."""
    return _for_another_runtime.get()


def on_gpu():
    """Whether the backend computes on a GPU."""
    return keras.distribution.list_devices()[0].startswith("gpu")


def is_bfloat16_on_cpu(x):
    """Whether `x` is bfloat16 on a CPU, where oneDNN has fast kernels for some cases only."""
    return keras.backend.standardize_dtype(x.dtype) == "bfloat16" and not on_gpu()


def on_jax_gpu():
    """Whether JAX computes on a GPU."""
    return keras.backend.backend() == "jax" and on_gpu()
