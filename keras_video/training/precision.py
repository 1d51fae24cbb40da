"""Half precision with a float32 head."""

import keras
import tensorflow as tf


def use_half_precision():
    """Makes layers compute in float16 on GPUs, whose losses are scaled, or bfloat16 on CPUs.

    Weights stay float32, and so do the classifiers, which say so themselves.
    """
    gpu = bool(tf.config.list_physical_devices("GPU"))
    keras.mixed_precision.set_global_policy("mixed_float16" if gpu else "mixed_bfloat16")
