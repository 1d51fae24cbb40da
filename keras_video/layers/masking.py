"""Masked tokens (masked autoencoders, arXiv:2203.12602)."""

import keras
import numpy as np
from keras import ops

from keras_video.layers.dense import small_normal
from keras_video.layers.position_tables import sine_table


def split_by_mask(mask, hidden):
    """Indices of the visible tokens and of the hidden ones, each in ascending order.

    Args:
        mask: `(batch, tokens)`, true or 1 where a token is hidden.
        hidden: number of hidden tokens per example.

    Returns:
        int32 `(batch, tokens - hidden)` and `(batch, hidden)`.
    """
    count = mask.shape[1]
    # Unique keys: backends sort ties in different orders.
    keys = ops.cast(mask, "int32") * count + ops.arange(count, dtype="int32")
    order = ops.cast(ops.argsort(keys, axis=1), "int32")
    return ops.split(order, [count - hidden], axis=1)


def gather_tokens(x, index):
    """The tokens `(batch, chosen, width)` of `x`, `(batch, tokens, width)`, at `index`."""
    count, width = x.shape[1:]
    first = ops.expand_dims(ops.arange(ops.shape(x)[0], dtype="int32"), 1) * count
    flat = ops.reshape(ops.cast(index, "int32") + first, (-1,))
    chosen = ops.take(ops.reshape(x, (-1, width)), flat, axis=0)
    return ops.reshape(chosen, (-1, index.shape[1], width))


def tubelet_pixels(clip, tubelet):
    """A clip's pixels grouped by tubelet: `(batch, tubelets, frames * height * width, channels)`.

    Tubelets, and the pixels of a tubelet, are in the order time, row, column.

    Args:
        clip: `(batch, frames, height, width, channels)`, all but the batch size known.
        tubelet: `(frames, height, width)` of a tubelet.
    """
    *sizes, channels = clip.shape[1:]
    split = [n for size, part in zip(sizes, tubelet, strict=True) for n in (size // part, part)]
    x = ops.reshape(clip, (-1, *split, channels))
    x = ops.transpose(x, (0, 1, 3, 5, 2, 4, 6, 7))
    return ops.reshape(x, (-1, int(np.prod(split[::2])), int(np.prod(tubelet)), channels))


def normalized_tubelets(pixels, epsilon=1e-6):
    """The output of `tubelet_pixels` with mean 0 and standard deviation 1 in every channel.

    The variance is unbiased, and `epsilon` is added to its square root.
    """
    count = pixels.shape[2]
    distance = pixels - ops.mean(pixels, axis=2, keepdims=True)
    variance = ops.sum(ops.square(distance), axis=2, keepdims=True) / (count - 1)
    return distance / (ops.sqrt(variance) + epsilon)


@keras.saving.register_keras_serializable("keras_video")
class DecoderTokens(keras.layers.Layer):
    """The input of a masked autoencoder's decoder: encoded tokens, then mask tokens.

    A learned mask token stands for every tubelet to be predicted. The sine embedding of its
    position is added to every token (`sine_table`).

    Inputs: encoded tokens `(batch, visible, width)`; int32 indices of their positions,
    `(batch, visible)`, and of those to be predicted, `(batch, predicted)`. Output:
    `(batch, visible + predicted, width)`.

    Args:
        places: total number of tubelets.
    """

    def __init__(self, places, **kwargs):
        super().__init__(**kwargs)
        self.places = places

    def build(self, x_shape, visible_shape=None, predicted_shape=None):
        width = x_shape[-1]
        self.mask_token = self.add_weight(
            (1, 1, width), initializer=small_normal(), name="mask_token"
        )
        self.table = sine_table(self.places, width)
        super().build(x_shape)

    def call(self, x, visible, predicted):
        table = ops.convert_to_tensor(self.table, dtype=x.dtype)
        x = x + ops.take(table, visible, axis=0)
        hidden = ops.take(table, predicted, axis=0) + ops.cast(self.mask_token, x.dtype)
        return ops.concatenate([x, hidden], axis=1)

    def get_config(self):
        return {**super().get_config(), "places": self.places}
