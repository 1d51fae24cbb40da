"""Training steps far from the label on the backend of this process: `logits_run.py FILE`.

A classifier's logits are its kernel's first row. Writes, per loss and gap, what a step of plain
descent takes from them (the gradient) and the losses of training and evaluation.
"""

import sys

import keras
import numpy as np

from keras_video import training, zoo
from keras_video.applications.model import VideoModel

GAPS = (5.0, 17.0, 40.0)
CLIP = np.eye(1, 4, dtype="float32")
CLASS = np.array([1])
TAGS = np.array([[0.0, 1.0, 0.0, 1.0]], "float32")
SOFT_LABELS = np.array([[0.0, 0.5, 0.5, 0.0]], "float32")
PLAIN = zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")
TAGGED = zoo.row("tsn_r18_1x1x8_100e_hvu_action_rgb")
MIXED = zoo.row("tsm_r50_mixup_1x1x8_50e_sthv1_rgb")
# Activation, loss, labels.
CASES = {
    "classes": ("softmax", training.row_loss(PLAIN), CLASS),
    "soft labels": ("softmax", training.row_loss(MIXED), SOFT_LABELS),
    "tags": ("sigmoid", training.row_loss(TAGGED), TAGS),
    "categories": ("sigmoid", training.HVULoss([1, 3]), TAGS),
    "weighted": ("softmax", training.WeightedCrossentropy([1, 2, 3, 4]), SOFT_LABELS),
    "name": ("softmax", "sparse_categorical_crossentropy", CLASS),
    "tags by name": ("sigmoid", "binary_crossentropy", TAGS),
    "says logits": ("softmax", keras.losses.CategoricalCrossentropy(from_logits=True), SOFT_LABELS),
}


def network(activation, auxiliary=False):
    clip = keras.Input((4,))
    logits = keras.layers.Dense(4, use_bias=False, name="fc_cls")(clip)
    scores = keras.layers.Activation(activation, name="predictions")(logits)
    return VideoModel(clip, [scores, logits] if auxiliary else scores)


def step(model, gap, loss, labels, **options):
    """The gradient of the logits, and the losses of a training step and an evaluation."""
    kernel = np.zeros((4, 4), "float32")
    kernel[0, 0] = gap
    model.get_layer("fc_cls").set_weights([kernel])
    model.compile(keras.optimizers.SGD(1.0), loss, **options)
    evaluated = model.evaluate(CLIP, labels, verbose=0, return_dict=True)["loss"]
    trained = model.fit(CLIP, labels, verbose=0).history["loss"][0]
    return (kernel - model.get_layer("fc_cls").get_weights()[0])[0], trained, evaluated


def main(file):
    results = {}
    for name, (activation, loss, labels) in CASES.items():
        model = network(activation)
        for gap in GAPS:
            gradient, *losses = step(model, gap, loss, labels)
            results[f"{name} {gap:g}"] = [*gradient, *losses]
    model = network("softmax", auxiliary=True)
    on_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    both = [training.row_loss(PLAIN), on_logits]
    for gap in GAPS:
        data = [CLASS, CLASS]
        gradient, *losses = step(model, gap, both, data, loss_weights=[1.0, 0.5])
        results[f"auxiliary {gap:g}"] = [*gradient, *losses]
    np.savez(file, **results)


if __name__ == "__main__":
    main(sys.argv[1])
