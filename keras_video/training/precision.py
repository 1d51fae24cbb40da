"""Half precision with a float32 head."""

import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

# With AMX, oneDNN as of TensorFlow 2.21 computes wrong kernel gradients of bfloat16 3-D
# convolutions: errors as large as the gradients, or NaN. Without AMX they are correct. oneDNN
# reads this environment variable before its first computation.
LIMIT, WITHOUT_AMX = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16"
# Largest error of a gradient relative to its largest value; rounding errors are about 0.003, or
# 0.04 if the sums are bfloat16 too.
_TOLERANCE = 0.2


def use_half_precision():
    """Makes layers compute in float16 with loss scaling on GPUs, or in bfloat16 on CPUs.

    Weights stay float32, and so do the classifiers, which set their own dtype.

    Raises:
        RuntimeError: if this CPU's gradients in bfloat16 are wrong.
    """
    gpu = bool(tf.config.list_physical_devices("GPU"))
    if not gpu:
        if has_amx():
            os.environ.setdefault(LIMIT, WITHOUT_AMX)
        check_gradients()
    keras.mixed_precision.set_global_policy("mixed_float16" if gpu else "mixed_bfloat16")


def has_amx(file="/proc/cpuinfo"):
    """Whether this CPU has bfloat16 matrix instructions (AMX); False if unknown."""
    try:
        return " amx_bf16" in Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def check_gradients():
    """Compares a gradient in bfloat16 with that in float32.

    Raises:
        RuntimeError: if they differ by more than rounding.
    """
    error = gradient_error()
    if not error < _TOLERANCE:
        raise RuntimeError(
            f"In bfloat16 the gradient of a 3-D convolution differs by {error:.2g} of its largest "
            f"value from the float32 gradient, expected less than {_TOLERANCE}: TensorFlow's "
            f"oneDNN is wrong on this CPU ({LIMIT}={os.environ.get(LIMIT, '')!r}). Set "
            f"{LIMIT}={WITHOUT_AMX} before the program starts, or train without mixed precision."
        )


def gradient_error():
    """The largest error of a bfloat16 kernel gradient, relative to its largest value."""
    rng = np.random.default_rng(0)
    # A size at which the fault occurs; smaller ones take another code path.
    clips = tf.constant(rng.normal(size=(1, 4, 56, 56, 64)), tf.bfloat16)
    kernel = tf.constant(rng.normal(size=(1, 1, 1, 64, 256)), tf.bfloat16)
    outputs = tf.constant(rng.normal(size=(1, 4, 56, 56, 256)), tf.bfloat16)
    arrays = (clips, kernel, outputs)
    gradient, expected = (
        tf.cast(_kernel_gradient(*(tf.cast(array, dtype) for array in arrays)), "float32")
        for dtype in ("bfloat16", "float32")
    )
    return float(tf.reduce_max(tf.abs(gradient - expected)) / tf.reduce_max(tf.abs(expected)))


@tf.function
def _kernel_gradient(clips, kernel, outputs):
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        convolved = tf.nn.convolution(clips, kernel, padding="SAME")
    return tape.gradient(convolved, kernel, outputs)
