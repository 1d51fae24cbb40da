"""Evaluates and predicts small models on multi-view videos, on the environment's backend.

    python views_run.py FILE

writes the results to `FILE`, for `test_view_average.py`.
"""

import dataclasses
import sys

import keras
import numpy as np

from keras_video.applications.model import VideoModel
from keras_video.inference.views import predict_views
from keras_video.training import evaluate_views, score_report
from keras_video.zoo import Protocol
from keras_video.zoo.clip_settings import Sampling

VIDEOS, VIEWS, CLASSES = 5, 3, 6
PROTOCOL = Protocol(Sampling("SampleFrames", clip_len=4))
SHAPES = {"video": (4, 8, 8, 3), "audio": (8, 6, 1)}
KINDS = ("video", "audio", "both")
# Activation of the model, and the loss.
HEADS = {
    "softmax": ("softmax", "sparse_categorical_crossentropy"),
    "sigmoid": ("sigmoid", "binary_crossentropy"),
    "logits": ("linear", keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
    "tags of logits": ("linear", keras.losses.BinaryCrossentropy(from_logits=True)),
}
# Averages, and the number of views that go through the network at a time.
PROTOCOLS = (("prob", 4), ("score", 4), ("prob", None))
CASES = [
    *((kind, "softmax", "prob", 4) for kind in KINDS),
    *(("video", head, *protocol) for head in HEADS for protocol in PROTOCOLS),
]


def inputs(kind):
    """Noise with a view axis."""
    rng = np.random.default_rng(0)
    noise = {
        key: rng.normal(size=(VIDEOS, VIEWS, *shape)).astype("float32")
        for key, shape in SHAPES.items()
    }
    return noise if kind == "both" else noise[kind]


def labels(head):
    """A class of each video, or tags."""
    rng = np.random.default_rng(1)
    if head in ("sigmoid", "tags of logits"):
        return rng.integers(0, 2, (VIDEOS, CLASSES)).astype("float32")
    return rng.integers(0, CLASSES, VIDEOS).astype("int32")


def network(kind, activation="softmax"):
    """A model whose logits are far enough apart for the two averages to differ."""
    tensors = {key: keras.Input(shape, name=key) for key, shape in SHAPES.items()}
    selected = list(tensors.values()) if kind == "both" else [tensors[kind]]
    flat = [keras.layers.Flatten()(x) for x in selected]
    x = flat[0] if len(flat) == 1 else keras.layers.Concatenate()(flat)
    start = keras.initializers.RandomNormal(stddev=0.2, seed=2)
    logits = keras.layers.Dense(CLASSES, kernel_initializer=start, name="fc_cls")(x)
    scores = keras.layers.Activation(activation, name="predictions")(logits)
    return VideoModel(tensors if kind == "both" else selected[0], scores)


def results_of(kind, head, score_average, max_views):
    """Predictions and the figures of an evaluation; scores and figures of `evaluate_views`."""
    activation, loss = HEADS[head]
    model = network(kind, activation)
    model.protocol = dataclasses.replace(PROTOCOL, score_average=score_average, max_views=max_views)
    model.compile("sgd", loss, metrics=["accuracy"])
    x, y = inputs(kind), labels(head)
    # The last batch is smaller.
    predicted = model.predict(x, batch_size=2, verbose=0)
    figures = model.evaluate(x, y, batch_size=2, verbose=0, return_dict=True)
    scores, _ = evaluate_views(model, [(x, y)], score_average=score_average, verbose=0)
    first = keras.tree.map_structure(lambda array: array[:, 0], x)
    trained = model.fit(first, y, validation_data=(x, y), batch_size=4, verbose=0).history
    top1 = score_report(scores, y).get("top1", np.nan)
    return {
        "predicted": predicted,
        "scores": scores,
        "figures": np.array([figures["loss"], figures["accuracy"], top1]),
        "trained": np.array([trained["val_loss"][0], predict_views(model, x).mean()]),
    }


def main(file):
    np.savez(
        file,
        **{
            f"{' '.join(map(str, case))}/{name}": value
            for case in CASES
            for name, value in results_of(*case).items()
        },
    )


if __name__ == "__main__":
    main(sys.argv[1])
