"""Sizes and encoder of plain video transformers (arXiv:2010.11929)."""

from dataclasses import dataclass, replace

import numpy as np

from keras_video.layers.transformer_block import TransformerBlock


@dataclass(frozen=True)
class Size:
    """Hyperparameters of a plain transformer.

    Attributes:
        embed_dim: width of the tokens.
        num_layers: number of blocks.
        num_heads: number of attention heads; it divides the width.
        mlp_dim: hidden width of the feed-forward networks.
        patch_size: pixels of a tubelet's side.
    """

    embed_dim: int
    num_layers: int
    num_heads: int
    mlp_dim: int
    patch_size: int = 16


def chosen_size(sizes, size, **numbers):
    """The named size, with those `numbers` that are not `None` overriding its own.

    Raises:
        ValueError: for an unknown size.
    """
    if size not in sizes:
        raise ValueError(f"size={size!r}: expected one of {', '.join(sizes)}.")
    given = {name: number for name, number in numbers.items() if number is not None}
    return replace(sizes[size], **given)


def transformer_body(x, size, *, drop_path, name="blocks", **arguments):
    """The blocks of a plain transformer over tokens `(batch, tokens, width)`.

    Args:
        drop_path: stochastic depth of the last block; it grows linearly from 0 in the first.
        name: prefix of the blocks' names.
        **arguments: passed to every `TransformerBlock`.
    """
    for index, rate in enumerate(np.linspace(0, drop_path, size.num_layers).tolist()):
        x = TransformerBlock(
            size.num_heads, size.mlp_dim, drop_path=rate, name=f"{name}_{index}", **arguments
        )(x)
    return x
