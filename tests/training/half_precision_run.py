"""Training losses in float32 and in half precision: `python half_precision_run.py NAME`."""

import json
import sys

import keras
import numpy as np

from keras_video.training import precision
from tests.applications import families

STEPS, BATCH, EXAMPLES = 40, 4, 16


def losses(name, order):
    """The loss of every training step of a small model; `order` seeds the batches."""
    keras.utils.set_random_seed(0)
    model = families.build(name)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.002, momentum=0.9), loss)
    labels = np.arange(EXAMPLES) % families.CLASSES
    clips = families.clips(name, EXAMPLES)
    rng = np.random.default_rng(order)
    curve = []
    for _ in range(STEPS):
        batch = rng.choice(EXAMPLES, BATCH, replace=False)
        curve.append(float(model.train_on_batch(clips[batch], labels[batch])))
    return curve


if __name__ == "__main__":
    name = sys.argv[1]
    curves = {"float32": losses(name, 0), "other order": losses(name, 1)}
    precision.use_half_precision()
    curves["half"] = losses(name, 0)
    print(json.dumps(curves))
