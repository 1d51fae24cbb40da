"""DropPathway: a whole pathway is dropped from a training step at random (arXiv:2001.08740)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_video")
class DropPathway(keras.layers.Layer):
    """In training, zeroes all inputs with probability `rate`, without rescaling.

    One draw applies to the whole batch and all inputs. A pathway that learns faster than the others
    is slowed down by contributing to only a fraction of the steps. Batch norms after it track the
    statistics of both kinds of steps; `keras_video.training.PreciseBatchNorm` recomputes them for
    inference.

    Input: a tensor, or a list or dictionary of tensors, of any shapes. Output: the same.

    Args:
        rate: from 0, which never drops, to below 1.
        seed: seed of the draws.

    Raises:
        ValueError: for a rate out of range.
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"DropPathway: received rate={rate!r}, expected a number in [0, 1)")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        draw = keras.random.uniform((), seed=self.seed_generator)
        return keras.tree.map_structure(lambda x: x * ops.cast(draw >= self.rate, x.dtype), inputs)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
