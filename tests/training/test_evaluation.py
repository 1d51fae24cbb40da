import keras
import numpy as np
import pytest

from keras_video.inference.views import predict_views
from keras_video.training import metrics
from keras_video.training.evaluation import MultiViewEvaluation, evaluate_views


def classifier(activation="softmax"):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(7, kernel_initializer="random_normal", name="fc_cls")(inputs * 30)
    outputs = keras.layers.Activation(activation, dtype="float32", name="predictions")(x)
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    return model


def videos(count=11, views=3):
    random = np.random.default_rng(0)
    clips = random.normal(size=(count, views, 4)).astype("float32")
    return clips, random.integers(0, 7, count)


def batches(clips, labels, size=4):
    return [(clips[i : i + size], labels[i : i + size]) for i in range(0, len(clips), size)]


def fit(model, callback, epochs=1):
    x, y = np.ones((4, 4)), np.zeros(4)
    return model.fit(x, y, epochs=epochs, callbacks=[callback], verbose=0).history


def test_scores_every_video_in_order():
    model, (clips, labels) = classifier(), videos()
    scores, seen = evaluate_views(model, batches(clips, labels), average="score", verbose=0)
    np.testing.assert_allclose(scores, predict_views(model, clips, average="score"), rtol=1e-5)
    np.testing.assert_array_equal(seen, labels)


def test_takes_a_dataset_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    model, (clips, labels) = classifier(), videos()
    dataset = tf.data.Dataset.from_tensor_slices((clips, labels)).batch(4)
    unknown = dataset.filter(lambda *_: True)
    for data in (dataset, unknown):
        scores, _ = evaluate_views(model, data)
        np.testing.assert_allclose(scores, predict_views(model, clips), rtol=1e-5)


def test_the_logs_get_the_figures():
    model, (clips, labels) = classifier(), videos()
    evaluation = MultiViewEvaluation(batches(clips, labels), max_views=2, verbose=0)
    history = fit(model, evaluation)
    scores = predict_views(model, clips)
    assert history["val_top1"] == [pytest.approx(metrics.top_k_accuracy(scores, labels))]
    assert history["val_top5"] == [pytest.approx(metrics.top_k_accuracy(scores, labels, 5))]
    wanted = metrics.mean_class_accuracy(scores, labels)
    assert history["val_mean_class_accuracy"] == [pytest.approx(wanted)]
    np.testing.assert_allclose(evaluation.scores, scores, rtol=1e-5)
    np.testing.assert_array_equal(evaluation.labels, labels)


def test_multi_hot_labels_give_average_precision():
    model, (clips, labels) = classifier("sigmoid"), videos()
    targets = np.eye(7, dtype="float32")[labels]
    evaluation = MultiViewEvaluation(batches(clips, targets), prefix="test_", verbose=0)
    figures = evaluation.evaluate(model)
    scores = predict_views(model, clips)
    wanted = metrics.mean_average_precision(scores, targets)
    assert figures["test_mean_average_precision"] == pytest.approx(wanted)
    assert set(figures) == {"test_mean_average_precision", "test_mmit_mean_average_precision"}


class Counted:
    """A dataset that counts how often it is read."""

    def __init__(self, data):
        self.data = data
        self.reads = 0

    def __iter__(self):
        self.reads += 1
        return iter(self.data)


@pytest.mark.parametrize(("epochs", "reads"), [(4, 2), (5, 3)])
def test_evaluates_every_so_many_epochs_and_at_the_end(epochs, reads):
    dataset = Counted(batches(*videos()))
    fit(classifier(), MultiViewEvaluation(dataset, every=2, verbose=0), epochs=epochs)
    assert dataset.reads == reads


def test_a_diverged_epoch_is_not_evaluated():
    dataset = Counted(batches(*videos()))
    evaluation = MultiViewEvaluation(dataset, verbose=0)
    evaluation.on_epoch_end(0, {"loss": float("nan")})
    assert dataset.reads == 0


def test_an_empty_dataset_is_an_error():
    with pytest.raises(ValueError, match="the dataset is empty"):
        evaluate_views(classifier(), [], verbose=0)
    with pytest.raises(ValueError, match="every must be at least 1, received 0"):
        MultiViewEvaluation([], every=0)
