"""Batch norm over parts of a batch, for training with a varying batch size (multigrid)."""

import math

import keras
from keras import layers, ops

from keras_video.layers.batch_norm import BatchNormalization
from keras_video.layers.rebuilding import clone_with


@keras.saving.register_keras_serializable("keras_video")
class SubBatchNormalization(layers.BatchNormalization):
    """Batch norm that normalizes `splits` parts of a batch separately (arXiv:1912.00998).

    Clip `i` belongs to part `i % splits`. The parts have their own running statistics and share
    scale and offset. Each training step also aggregates the parts' statistics into those used in
    inference, so a model can be evaluated at any time. Running variances are unbiased.

    Input and output: `(batch, ..., channels)`; in training the batch is a multiple of `splits`.

    Args:
        splits: number of parts.
        **kwargs: passed to `keras.layers.BatchNormalization`; the axis must be the last.
    """

    def __init__(self, splits=1, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(momentum=momentum, epsilon=epsilon, **kwargs)
        if splits < 1:
            raise ValueError(f"splits={splits}: expected 1 or more.")
        self.splits = splits

    def build(self, input_shape):
        super().build(input_shape)
        if self.axis not in (-1, len(input_shape) - 1):
            raise ValueError(f"axis={self.axis}: expected the last axis.")
        shape = (self.splits, input_shape[-1])
        statistics = {"shape": shape, "trainable": False, "autocast": False}
        self.split_mean = self.add_weight(name="split_mean", initializer="zeros", **statistics)
        self.split_variance = self.add_weight(
            name="split_variance", initializer="ones", **statistics
        )

    def call(self, x, training=None, mask=None):
        if mask is not None:
            raise ValueError("SubBatchNormalization does not support masks.")
        if not (training and self.trainable):
            return super().call(x, training=False)
        shape = ops.shape(x)
        parts = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
        parts = ops.reshape(parts, (-1, self.splits, *shape[1:]))  # clip i is in part i % splits
        axes = [axis for axis in range(len(parts.shape)) if axis not in (1, len(parts.shape) - 1)]
        mean, variance = ops.moments(parts, axes, keepdims=True)
        self._update(mean, variance, ops.size(x) // (self.splits * shape[-1]))
        scale = ops.rsqrt(variance + self.epsilon)
        scale = scale if self.gamma is None else scale * self.gamma
        parts = (parts - mean) * scale
        parts = parts if self.beta is None else parts + self.beta
        return ops.cast(ops.reshape(parts, (-1, *shape[1:])), self.compute_dtype)

    def _update(self, mean, variance, count):
        """Moves the parts' statistics towards a batch's, of `count` values, and aggregates them."""
        count = ops.cast(count, variance.dtype)
        unbiased = variance * count / ops.maximum(count - 1.0, 1.0)
        shape = (self.splits, -1)
        mean = self._moved(self.split_mean, ops.reshape(mean, shape))
        variance = self._moved(self.split_variance, ops.reshape(unbiased, shape))
        joined_mean, spread = ops.moments(mean, [0])
        self.moving_mean.assign(joined_mean)
        self.moving_variance.assign(ops.mean(variance, axis=0) + spread)

    def _moved(self, variable, value):
        value = variable * self.momentum + value * (1.0 - self.momentum)
        variable.assign(value)
        return value

    def get_config(self):
        return {**super().get_config(), "splits": self.splits}


def split_batch_norms(model, splits):
    """A copy of a functional model with sub-batch norms of `splits` parts as batch norms.

    Layers keep their names and weights; the parts start with the running statistics. So a
    model can change its number of parts, and change back with `splits=1`.

    Returns:
        A new model, not compiled, of the same class.
    """
    return with_norms(
        model,
        lambda config: SubBatchNormalization.from_config({**config, "splits": splits}),
    )


def join_batch_norms(model):
    """A copy of a functional model with plain batch norms in place of sub-batch norms.

    Returns:
        A new model, not compiled, of the same class, equal to `model` in inference.
    """

    def plain(config):
        config = {key: value for key, value in config.items() if key != "splits"}
        return BatchNormalization.from_config(config)

    return with_norms(model, plain)


def with_norms(model, make):
    """A copy of a functional model whose batch norms are created by `make(config)`."""

    def replace(layer):
        is_norm = isinstance(layer, layers.BatchNormalization)
        return make(layer.get_config()) if is_norm else None

    return clone_with(model, replace, copy_norm)


def copy_norm(norm, copy):
    """Copies a batch norm's weights; every part starts with the running statistics."""
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        if getattr(norm, name) is not None:
            # As NumPy: JAX would share the buffer, and training one model would delete it.
            getattr(copy, name).assign(ops.convert_to_numpy(getattr(norm, name)))
    if isinstance(copy, SubBatchNormalization):
        copy.split_mean.assign(ops.tile(norm.moving_mean[None], (copy.splits, 1)))
        copy.split_variance.assign(ops.tile(norm.moving_variance[None], (copy.splits, 1)))


def splits_for(batch_size, base_batch_size):
    """Number of parts of a batch with at most `base_batch_size` clips each.

    Raises:
        ValueError: if the parts would not be equal.
    """
    splits = math.ceil(batch_size / base_batch_size)
    if batch_size % splits:
        raise ValueError(f"A batch of {batch_size} clips cannot be split into {splits} parts.")
    return splits
