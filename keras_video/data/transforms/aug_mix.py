"""AugMix (arXiv:1912.02781) for clips: one draw for all frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from keras_video.data.transforms.color import to_uint8
from keras_video.data.transforms.frames import (
    check_rgb,
    dirichlet_weights,
    each_frame,
    fold_in,
    randint_below,
    uniform,
)
from keras_video.data.transforms.operations import PYTORCHVIDEO_AUG_MIX, apply_chosen

_MAX_MAGNITUDE = 10
# Strengths are drawn from this value to the magnitude.
_MIN_MAGNITUDE = 0.1


@dataclass(frozen=True)
class AugMix:
    """Mixes a clip with chains of operations applied to it.

    Input and output are uint8 RGB clips. Operations, strengths and defaults are those of
    pytorchvideo.

    Args:
        operations: functions of frames, level and draws; see
            `keras_video.data.transforms.operations`.
        width: number of chains.
        depth: operations per chain; None draws 1 to 3 for each chain.
        magnitude: maximum strength, above 0.1 and up to 10.
        alpha: parameter of the Dirichlet distribution of the chain weights, and of the beta
            distribution of the weight of the original clip.

    Raises:
        ValueError: for arguments out of range, or clips that are not uint8 with three channels.
    """

    operations: Sequence[Callable] = PYTORCHVIDEO_AUG_MIX
    width: int = 3
    depth: int | None = None
    magnitude: float = 3
    alpha: float = 1.0

    def __post_init__(self):
        if self.width < 1 or (self.depth is not None and self.depth < 1):
            raise ValueError(
                f"AugMix: received width={self.width!r}, depth={self.depth!r}, expected at least 1"
            )
        if not _MIN_MAGNITUDE < self.magnitude <= _MAX_MAGNITUDE or self.alpha <= 0:
            raise ValueError(
                f"AugMix: received magnitude={self.magnitude!r}, alpha={self.alpha!r}, expected "
                f"more than {_MIN_MAGNITUDE} up to {_MAX_MAGNITUDE}, and more than 0"
            )

    def __call__(self, clip: tf.Tensor, seed) -> tf.Tensor:
        clip = check_rgb(self, clip)
        return each_frame(lambda frames: self._mixed(frames, seed), clip)

    def _mixed(self, frames, seed):
        depths = randint_below(uniform(self, seed, self.width), 3) + 1
        clip_weight = dirichlet_weights(fold_in(seed, 0), 2, self.alpha)[0]
        chain_weights = dirichlet_weights(fold_in(seed, 1), self.width, self.alpha)
        mixed = tf.zeros_like(frames, tf.float32)
        for number in range(self.width):
            depth = depths[number] if self.depth is None else self.depth
            chain = self._chain(frames, depth, fold_in(seed, 2 + number))
            mixed += chain_weights[number] * tf.cast(chain, tf.float32)
        return to_uint8(clip_weight * tf.cast(frames, tf.float32) + (1 - clip_weight) * mixed)

    def _chain(self, frames, depth, seed):
        def add(position, frames):
            draws = tf.random.stateless_uniform([5], fold_in(seed, position))
            choice = randint_below(draws[0], len(self.operations))
            magnitude = _MIN_MAGNITUDE + (self.magnitude - _MIN_MAGNITUDE) * draws[1]
            level = magnitude / _MAX_MAGNITUDE
            return position + 1, apply_chosen(self.operations, choice, frames, level, draws[2:])

        return tf.while_loop(lambda position, _: position < depth, add, (0, frames))[1]
