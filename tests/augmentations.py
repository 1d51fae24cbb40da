"""Helpers for augmentation tests: fixtures from other libraries, clips, graphs."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

FIXTURES = Path(__file__).parent / "fixtures" / "data"


def records(kind):
    """The records of a kind: results computed by torchvision or MMAction2."""
    stored = json.loads((FIXTURES / "augmentations.json").read_text())["records"]
    return [record for record in stored if record["kind"] == kind]


def arrays():
    """The arrays of the records, by name."""
    return np.load(FIXTURES / "augmentations.npz")


def smooth_clip(frames=3, height=24, width=32):
    """A uint8 clip with structure in space and time."""
    noise = np.random.default_rng(0).uniform(0, 255, (frames, 4, 5, 3))
    return tf.cast(tf.image.resize(noise, (height, width)), tf.uint8)


def in_graph(step, rank=4):
    """Compiles a transform into a graph with unknown frame count and frame size."""
    clip = tf.TensorSpec([None] * (rank - 1) + [3], tf.uint8)
    seed = tf.TensorSpec([2], tf.int32)
    return tf.function(lambda clip, seed: step(clip, seed), input_signature=[clip, seed])
