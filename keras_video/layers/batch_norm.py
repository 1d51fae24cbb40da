"""Batch norm that tracks the unbiased variance, as in training of the published models."""

import keras
from keras import layers, ops

from keras_video.layers.devices import is_bfloat16_on_cpu, on_gpu


@keras.saving.register_keras_serializable("keras_video")
class BatchNormalization(layers.BatchNormalization):
    """Batch norm (arXiv:1502.03167) that tracks the unbiased variance, as PyTorch's does.

    A training step normalizes by the variance of its `n` values per channel and updates the moving
    variance towards `n / (n - 1)` times it. Arguments, weights and inference are those of Keras'
    layer. With `synchronized`, `n` counts the values of all replicas.

    Keras stores weights under the class name, which is Keras' own, so that files fit both layers.

    Raises:
        ValueError: for `renorm`, and when called with a mask.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if getattr(self, "renorm", False):
            raise ValueError("BatchNormalization: renorm=True, expected False.")

    def call(self, inputs, training=None, mask=None):
        if mask is not None:
            raise ValueError(f"BatchNormalization: received mask={mask!r}, expected None.")
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        scale, offset = (
            value if value is None else ops.cast(value, dtype) for value in (self.gamma, self.beta)
        )
        fused = self._use_fused_kernel(inputs)
        x = inputs if fused and _fits_kernel(inputs) else ops.cast(inputs, dtype)
        if fused:
            x, mean, unbiased = _fused(x, scale, offset, self.epsilon)
        else:
            mean, variance = ops.moments(x, self._axes(x), synchronized=self.synchronized)
            unbiased = variance * self._correction(x)
            x = ops.batch_normalization(x, mean, variance, self.axis, offset, scale, self.epsilon)
        self._update_average(self.moving_mean, mean)
        self._update_average(self.moving_variance, unbiased)
        return ops.cast(x, self.compute_dtype)

    def _use_fused_kernel(self, x):
        """Whether TensorFlow's fused kernel is used: up to float32, channels last, one replica.

        oneDNN's takes twice as long as separate operations unless channels are a multiple of 4.
        """
        last = self.axis in (-1, len(x.shape) - 1)
        single = keras.backend.standardize_dtype(x.dtype) != "float64" and not self.synchronized
        if keras.backend.backend() != "tensorflow" or not last or not single:
            return False
        return x.shape[-1] % 4 == 0 or on_gpu()

    def _axes(self, x):
        rank = len(x.shape)
        return [axis for axis in range(rank) if axis != self.axis % rank]

    def _update_average(self, variable, value):
        updated = ops.cast(variable, value.dtype) * self.momentum + value * (1.0 - self.momentum)
        variable.assign(ops.cast(updated, variable.dtype))

    def _correction(self, x):
        """`n / (n - 1)` for the `n` values of a channel."""
        shape = ops.shape(x)
        count = 1
        for axis in self._axes(x):
            count = count * shape[axis]
        count = ops.cast(count, x.dtype)
        if self.synchronized:  # batch sizes may differ between replicas
            count, _ = ops.moments(ops.reshape(count, (1,)), [0], synchronized=True)
            count = count * replicas_of(self.moving_variance)
        return count / ops.maximum(count - 1, 1)


def _fits_kernel(x):
    """Whether the fused kernel reads and writes the dtype of `x`, and computes in float32.

    oneDNN's does so in bfloat16, twice as fast, but is slow unless channels are a multiple of 16.
    """
    return x.shape[-1] % 16 == 0 and is_bfloat16_on_cpu(x)


def _fused(x, scale, offset, epsilon):
    """TensorFlow's fused kernel for statistics and result, with another for their gradients.

    Keras has no operation for it. Unfused, the same numbers are computed in many passes.

    Returns:
        The result, and mean and unbiased variance of every channel.
    """
    import tensorflow as tf

    channels = x.shape[-1]
    outputs = tf.raw_ops.FusedBatchNormV3(
        x=tf.reshape(x, (1, -1, 1, channels)),
        scale=tf.ones(channels) if scale is None else scale,
        offset=tf.zeros(channels) if offset is None else offset,
        mean=tf.zeros(0),
        variance=tf.zeros(0),
        epsilon=epsilon,
        is_training=True,
    )
    return tf.reshape(outputs.y, tf.shape(x)), outputs.batch_mean, outputs.batch_variance


def replicas_of(variable):
    """Replicas of the TensorFlow strategy that a variable was created under; 1 without one."""
    strategy = getattr(variable.value, "distribute_strategy", None)
    return getattr(strategy, "num_replicas_in_sync", 1)
