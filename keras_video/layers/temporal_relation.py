"""Temporal relations (arXiv:1711.08496): classes from ordered tuples of frames."""

import itertools
import math

import keras
import numpy as np
from keras import layers, ops

from keras_video.layers.convolution import torch_default

# Frame tuples per scale that one call uses.
TUPLES = 3


def frame_tuples(frames, size):
    """All ordered tuples of `size` of the `frames` frames: int32 `(tuples, size)`."""
    return np.array(list(itertools.combinations(range(frames), size)), "int32")


def draw_picks(frames, seed):
    """Draws at most three tuples for every scale from `frames - 1` down to 2.

    Returns:
        For each scale, a list of positions in `frame_tuples(frames, scale)`.
    """
    rng = np.random.default_rng(seed)
    counts = [math.comb(frames, size) for size in range(frames - 1, 1, -1)]
    return [rng.choice(n, min(TUPLES, n), replace=False).tolist() for n in counts]


@keras.saving.register_keras_serializable("keras_video")
class TemporalRelation(keras.layers.Layer):
    """Logits from an ordered tuple of frames (arXiv:1711.08496).

    Input: `(..., frames, features)`. Output: logits `(..., classes)`.

    Args:
        classes: number of outputs.
        hidden: width of the hidden layer.
    """

    def __init__(self, classes, hidden=512, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.hidden = hidden

    def build(self, input_shape):
        fan_in = input_shape[-2] * input_shape[-1]
        options = {"dtype": self.dtype_policy}
        self.reduce = layers.Dense(self.hidden, name="1", **torch_default(fan_in), **options)
        self.classify = layers.Dense(
            self.classes, name="3", **torch_default(self.hidden), **options
        )
        self.reduce.build((None, fan_in))
        self.classify.build((None, self.hidden))

    def call(self, x):
        *outer, frames, features = ops.shape(x)
        x = ops.reshape(ops.relu(x), (-1, *outer[1:], frames * features))
        return self.classify(ops.relu(self.reduce(x)))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-2], self.classes)

    def get_config(self):
        return {**super().get_config(), "classes": self.classes, "hidden": self.hidden}


@keras.saving.register_keras_serializable("keras_video")
class MultiScaleRelation(keras.layers.Layer):
    """Logits from relations of ordered tuples of 2, 3, ... up to all frames (arXiv:1711.08496).

    Every scale sums over at most three of its tuples. In training they are redrawn in
    every call; in inference they are `picks`, so that scores are reproducible.

    Input: `(batch, frames, features)`. Output: logits `(batch, classes)`.

    Args:
        frames: frames of a clip, at least 2.
        classes: number of outputs.
        hidden: width of the hidden layers.
        picks: for every scale from `frames - 1` down to 2, positions in the lexicographic list of
            combinations of that number of frames; drawn with `seed` if not given.
        seed: seed of both draws.

    Raises:
        ValueError: for too few frames, or picks that do not match the number of frames.
    """

    def __init__(self, frames, classes, hidden=256, picks=None, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.frames = frames
        self.classes = classes
        self.hidden = hidden
        self.seed = seed
        self.picks = draw_picks(frames, seed) if picks is None else [list(p) for p in picks]
        check_picks(frames, self.picks)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.relations = [
            TemporalRelation(
                classes, hidden, dtype=self.dtype_policy, name=f"fc_fusion_scales_{index}"
            )
            for index in range(frames - 1)
        ]

    def build(self, input_shape):
        for size, relation in zip(self.scales, self.relations, strict=True):
            relation.build((None, None, size, input_shape[-1]))

    @property
    def scales(self):
        """Frames of a tuple, largest first, in the order of `relations`."""
        return range(self.frames, 1, -1)

    def call(self, x, training=None):
        picks = [[0], *self.picks]
        total = 0
        for size, relation, chosen in zip(self.scales, self.relations, picks, strict=True):
            tuples = ops.take(x, self.tuples(size, chosen, training), axis=1)
            total = total + ops.sum(
                relation(tuples), axis=1
            )  # (b, tuples, size, c) -> (b, classes)
        return total

    def tuples(self, size, chosen, training):
        """Frames of the tuples used at a scale, `(tuples, size)`."""
        candidates = frame_tuples(self.frames, size)
        if not training or len(candidates) <= TUPLES:
            return ops.convert_to_tensor(candidates if training else candidates[chosen])
        draws = keras.random.uniform((len(candidates),), seed=self.seed_generator)
        return ops.take(ops.convert_to_tensor(candidates), ops.top_k(draws, TUPLES)[1], axis=0)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.classes)

    def get_config(self):
        config = {
            "frames": self.frames,
            "classes": self.classes,
            "hidden": self.hidden,
            "picks": [list(chosen) for chosen in self.picks],
            "seed": self.seed,
        }
        return {**super().get_config(), **config}


def check_picks(frames, picks):
    """Rejects picks that are not valid tuple positions for this number of frames."""
    if frames is None or frames < 2:
        raise ValueError(f"frames={frames}: expected at least 2 for a relation.")
    sizes = range(frames - 1, 1, -1)
    if len(picks) != len(sizes):
        raise ValueError(f"{len(picks)} lists of picks: expected one for each of {list(sizes)}.")
    for size, chosen in zip(sizes, picks, strict=True):
        count = math.comb(frames, size)
        if not chosen or not all(0 <= position < count for position in chosen):
            raise ValueError(
                f"picks {chosen} of {size} frames: expected positions from 0 to {count - 1}."
            )
