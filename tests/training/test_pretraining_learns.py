"""Masked pretraining on the embedded videos learns features that a linear probe can use."""

import keras
import numpy as np
import pytest

from keras_video import data, zoo
from keras_video.training import PretrainSettings, pretrain
from keras_video.weights.keras_files import load_model

ROW = "x_videomae"
FOLDS, STEPS = 5, 400


def features(encoder):
    """The mean encoder features of every embedded video, and the labels."""
    row = zoo.row(ROW)
    pooled = keras.layers.GlobalAveragePooling3D()(encoder.output)
    model = keras.Model(encoder.inputs, pooled)
    train, val, names = data.embedded_dataset("appearance")
    batches = []
    for annotation_file in (train, val):
        dataset = data.video_dataset(
            annotation_file, train.parent, sampling=data.row_sampling(row, "val"),
            transforms=data.row_transforms(row, "val"), batch_size=20, classes=len(names),
        )  # fmt: skip
        batches += [(model.predict_on_batch(clips), y.numpy()) for clips, y in dataset]
    x, y = (np.concatenate(part) for part in zip(*batches, strict=True))
    return x, y


def probe(x, y):
    """The five-fold cross-validated accuracy of logistic regression."""
    order = np.random.default_rng(0).permutation(len(y))
    right = 0
    for fold in range(FOLDS):
        held = order[fold::FOLDS]
        training = np.setdiff1d(order, held)
        mean, deviation = x[training].mean(0), x[training].std(0) + 1e-6
        right += np.sum(regression((x - mean) / deviation, y, training)[held] == y[held])
    return right / len(y)


def regression(x, y, training):
    """Predicted classes of all examples, after training with Adam on some."""
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    expected = np.eye(y.max() + 1)[y[training]]
    weights = np.zeros((x.shape[1], expected.shape[1]))
    mean, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        scores = np.exp(
            x[training] @ weights - np.max(x[training] @ weights, axis=1, keepdims=True)
        )
        scores /= scores.sum(1, keepdims=True)
        gradient = x[training].T @ (scores - expected) / len(training) + 1e-3 * weights
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        corrected = mean / (1 - 0.9**step), square / (1 - 0.999**step)
        weights -= 0.01 * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)
    return (x @ weights).argmax(1)


@pytest.mark.slow
def test_a_probe_reads_more_from_pretrained_features_than_from_random_ones(tmp_path):
    keras.utils.set_random_seed(0)
    random = probe(*features(zoo.row(ROW).model(include_top=False)))
    report = pretrain(PretrainSettings(ROW, work_dir=str(tmp_path / "run")))
    assert report["loss"] < report["first_loss"]
    pretrained = probe(*features(load_model(tmp_path / "run" / "encoder.keras")))
    print(f"accuracy of the probe: random {random:.3f}, pretrained {pretrained:.3f}")
    assert pretrained > random + 0.15
