"""RandAugment (arXiv:1909.13719) for clips: one draw for all frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import tensorflow as tf

from keras_video.data.transforms.frames import (
    check_rgb,
    each_frame,
    fold_in,
    randint_below,
    uniform,
)
from keras_video.data.transforms.operations import IMGAUG, PYTORCHVIDEO, TIMM, apply_chosen


@dataclass(frozen=True)
class RandAugment:
    """Applies a few randomly chosen operations in sequence.

    Input and output are uint8 RGB clips. The defaults are those of pytorchvideo.

    Args:
        operations: functions of frames, level and draws; see
            `keras_video.data.transforms.operations`.
        layers: number of operations.
        magnitude: strength, from 0 to `max_magnitude`.
        max_magnitude: maximum strength.
        magnitude_std: standard deviation of the strength, which is drawn for each operation.
        probability: probability that a chosen operation is applied.
        in_order: apply the chosen operations in the order of the list instead of random order.
        repeating: whether an operation may be chosen more than once.

    Raises:
        ValueError: for arguments out of range, or clips that are not uint8 with three channels.
    """

    operations: Sequence[Callable] = PYTORCHVIDEO
    layers: int = 2
    magnitude: float = 9
    max_magnitude: float = 10
    magnitude_std: float = 0.5
    probability: float = 0.5
    in_order: bool = False
    repeating: bool = False

    def __post_init__(self):
        if not 1 <= self.layers <= len(self.operations):
            raise ValueError(
                f"RandAugment: received layers={self.layers!r}, expected 1 to "
                f"{len(self.operations)}, the number of operations"
            )
        if not 0 <= self.magnitude <= self.max_magnitude:
            raise ValueError(
                f"RandAugment: received magnitude={self.magnitude!r}, expected 0 to "
                f"{self.max_magnitude}"
            )
        if self.magnitude_std < 0 or not 0 <= self.probability <= 1:
            raise ValueError(
                f"RandAugment: received magnitude_std={self.magnitude_std!r}, "
                f"probability={self.probability!r}, expected 0 or more and 0 to 1"
            )

    @classmethod
    def imgaug(cls, layers=2, magnitude=9, max_magnitude=10):
        """As MMAction2 builds it from imgaug: all chosen operations are applied at fixed strength.

        In MMAction2, the direction of shears, shifts and rotations is drawn once per process; here
        it is drawn for each clip.
        """
        return cls(IMGAUG, layers, magnitude, max_magnitude, 0.0, 1.0, in_order=True)

    @classmethod
    def timm(cls, layers=4, magnitude=7, max_magnitude=10):
        """As timm's "rand-m7-n4-mstd0.5-inc1", but with bilinear instead of bicubic warps."""
        return cls(TIMM, layers, magnitude, max_magnitude, repeating=True)

    def __call__(self, clip: tf.Tensor, seed) -> tf.Tensor:
        clip = check_rgb(self, clip)
        draws = uniform(self, seed, len(self.operations))
        if self.repeating:
            choices = randint_below(draws[: self.layers], len(self.operations))
        else:
            choices = tf.argsort(draws)[: self.layers]
        if self.in_order:
            choices = tf.sort(choices)
        return each_frame(lambda frames: self._augmented(frames, choices, seed), clip)

    def _augmented(self, frames, choices, seed):
        for layer in range(self.layers):
            layer_seed = fold_in(seed, layer)
            draws = uniform(self, layer_seed, 4)
            deviation = tf.random.stateless_normal([], fold_in(layer_seed, 0), stddev=1.0)
            magnitude = self.magnitude + self.magnitude_std * deviation
            level = tf.clip_by_value(magnitude / self.max_magnitude, 0.0, 1.0)
            # The index after the last operation leaves the frames unchanged.
            applied = draws[3] < self.probability
            choice = tf.where(applied, choices[layer], len(self.operations))
            operations = (*self.operations, _unchanged)
            frames = apply_chosen(operations, choice, frames, level, draws[:3])
        return frames


def _unchanged(frames, level, draws):
    return tf.identity(frames)
