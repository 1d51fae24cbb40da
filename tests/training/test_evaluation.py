import keras
import numpy as np
import pytest

from keras_video.inference.views import predict_views
from keras_video.training import metrics
from keras_video.training.divergence import DivergedError
from keras_video.training.evaluation import MultiViewEvaluation, evaluate_views, score_report


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
    scores, targets = evaluate_views(
        model, batches(clips, labels), score_average="score", verbose=0
    )
    np.testing.assert_allclose(
        scores, predict_views(model, clips, score_average="score"), rtol=1e-5
    )
    np.testing.assert_array_equal(targets, labels)


def test_takes_a_dataset_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    model, (clips, labels) = classifier(), videos()
    dataset = tf.data.Dataset.from_tensor_slices((clips, labels)).batch(4)
    unknown = dataset.filter(lambda *_: True)
    for data in (dataset, unknown):
        scores, _ = evaluate_views(model, data)
        np.testing.assert_allclose(scores, predict_views(model, clips), rtol=1e-5)


def test_the_logs_get_the_metrics():
    model, (clips, labels) = classifier(), videos()
    evaluation = MultiViewEvaluation(batches(clips, labels), max_views=2, verbose=0)
    history = fit(model, evaluation)
    scores = predict_views(model, clips)
    assert history["val_top1"] == [pytest.approx(metrics.top_k_accuracy(scores, labels))]
    assert history["val_top5"] == [pytest.approx(metrics.top_k_accuracy(scores, labels, 5))]
    expected = metrics.mean_class_accuracy(scores, labels)
    assert history["val_mean_class_accuracy"] == [pytest.approx(expected)]
    np.testing.assert_allclose(evaluation.scores, scores, rtol=1e-5)
    np.testing.assert_array_equal(evaluation.labels, labels)


def test_multi_hot_labels_give_average_precision():
    model, (clips, labels) = classifier("sigmoid"), videos()
    targets = np.eye(7, dtype="float32")[labels]
    evaluation = MultiViewEvaluation(batches(clips, targets), prefix="test_", verbose=0)
    figures = evaluation.evaluate(model)
    scores = predict_views(model, clips)
    expected = metrics.mean_average_precision(scores, targets)
    assert figures["test_mean_average_precision"] == pytest.approx(expected)
    assert set(figures) == {
        "test_loss",
        "test_mean_average_precision",
        "test_mmit_mean_average_precision",
    }
    crossentropy = -np.log(np.where(targets > 0, scores, 1 - scores)).mean()
    assert figures["test_loss"] == pytest.approx(crossentropy, rel=1e-4)


@pytest.mark.parametrize("classes", [2, 4, 5])
def test_top5_is_of_five_classes_or_more(classes):
    scores = np.random.default_rng(0).dirichlet(np.ones(classes), 6)
    report = score_report(scores, np.zeros(6, int))
    assert ("top5" in report) == (classes >= 5)


def test_the_loss_is_keras_on_the_averaged_scores():
    model, (clips, labels) = classifier(), videos()
    history = fit(model, MultiViewEvaluation(batches(clips, labels), verbose=0))
    scores = predict_views(model, clips)
    loss = keras.losses.SparseCategoricalCrossentropy()(labels, scores)
    assert history["val_loss"] == [pytest.approx(float(loss), rel=1e-4)]


def test_entries_without_annotation_have_no_loss():
    scores = np.array([[0.9, 0.2], [0.4, 0.6]])
    targets = np.array([[1, -1], [-1, 0]])
    assert metrics.cross_entropy(scores, targets) == pytest.approx(-np.log(0.9 * 0.4) / 2)
    loss = metrics.cross_entropy(np.array([[0.9], [0.2], [0.5]]), np.array([1, 0, -1]))
    assert loss == pytest.approx(-np.log(0.9 * 0.8) / 2)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
@pytest.mark.parametrize("monitor", ["val_top1", "val_loss"])
def test_early_stopping_may_come_before_the_evaluation(order, monitor, tmp_path):
    from keras_video.applications.model import VideoModel

    plain, (clips, labels) = classifier(), videos()
    model = VideoModel(plain.inputs, plain.outputs)
    # Nothing is learned: the metrics do not change, and training ends once patience runs out.
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", jit_compile=False)
    mode = "min" if "loss" in monitor else "max"
    log = tmp_path / "log.csv"
    callbacks = [
        MultiViewEvaluation(batches(clips, labels), verbose=0),
        keras.callbacks.EarlyStopping(monitor, patience=2, mode=mode),
        keras.callbacks.CSVLogger(log),
    ]
    x, y = np.ones((4, 4)), np.zeros(4)
    chosen = [callbacks[place] for place in order]
    history = model.fit(x, y, epochs=9, callbacks=chosen, verbose=0)
    assert len(history.epoch) == 3
    assert monitor in log.read_text().splitlines()[0]
    listed = keras.callbacks.CallbackList(chosen[::-1], add_history=True, model=model, epochs=9)
    assert len(model.fit(x, y, epochs=9, callbacks=listed, verbose=0).epoch) == 3


class Counted:
    """A dataset that counts its passes."""

    def __init__(self, data):
        self.data = data
        self.reads = 0

    def __iter__(self):
        self.reads += 1
        return iter(self.data)


@pytest.mark.parametrize(("epochs", "reads"), [(4, 2), (5, 3)])
def test_evaluates_at_intervals_and_at_the_end(epochs, reads):
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


def test_one_sigmoid_output_is_evaluated_as_two_classes():
    scores = np.array([[0.9], [0.8], [0.1], [0.2], [0.7]], "float32")
    labels = np.array([1, 1, 0, 0, 0])
    report = score_report(scores, labels)
    assert report == pytest.approx(
        {"top1": 4 / 5, "mean_class_accuracy": (1 + 2 / 3) / 2, "mean_average_precision": 1.0}
    )
    assert score_report(scores, labels[:, None]) == report
    unknown = np.array([[1], [1], [0], [0], [-1]])
    assert score_report(scores, unknown)["top1"] == 1.0


def test_columns_of_class_indices_are_indices():
    scores, labels = np.eye(3)[[0, 1, 2, 2]], np.array([0, 1, 2, 0])
    assert score_report(scores, labels[:, None]) == score_report(scores, labels)


@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
def test_a_model_of_one_output_in_training(activation):
    keras.utils.set_random_seed(2)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(1, name="fc_cls")(inputs)
    model = keras.Model(inputs, keras.layers.Activation(activation, name="predictions")(x))
    loss = keras.losses.BinaryCrossentropy(from_logits=activation == "linear")
    model.compile("sgd", loss, jit_compile=False)
    clips, _ = videos()
    labels = (clips.mean((1, 2)) > 0).astype("float32")[:, None]
    history = fit(model, MultiViewEvaluation(batches(clips, labels), verbose=0))
    logits = model.predict(clips.reshape(-1, 4), verbose=0).reshape(11, 3)
    scores = 1 / (1 + np.exp(-logits)) if activation == "linear" else logits
    right = (scores.mean(1) > 0.5) == labels[:, 0].astype(bool)
    assert history["val_top1"] == [pytest.approx(right.mean())]


def test_a_softmax_over_one_output_is_rejected():
    inputs = keras.Input((4,))
    x = keras.layers.Dense(1, name="fc_cls")(inputs)
    model = keras.Model(inputs, keras.layers.Activation("softmax", name="predictions")(x))
    with pytest.raises(ValueError, match="one output that ends in a softmax, which is always 1"):
        evaluate_views(model, batches(*videos()), verbose=0)


def test_a_model_with_nan_scores_stops_the_training():
    model = classifier()
    kernel, bias = model.get_layer("fc_cls").get_weights()
    model.get_layer("fc_cls").set_weights([kernel * np.nan, bias])
    evaluation = MultiViewEvaluation(batches(*videos()), verbose=0)
    with pytest.raises(DivergedError, match="scores of 4 of 4 videos are not finite, first"):
        evaluation.evaluate(model)


@pytest.mark.parametrize("parts", [1, 3])
def test_datasets_of_other_parts_are_rejected(parts):
    clips, labels = videos()
    dataset = [(clips, labels, np.ones(11))[:parts]]
    with pytest.raises(
        ValueError, match=rf"{parts} parts, expected \(clips, labels\); sample weig"
    ):
        evaluate_views(classifier(), dataset, verbose=0)
    with pytest.raises(ValueError, match="the dataset yields ndarray, expected"):
        evaluate_views(classifier(), [clips], verbose=0)
