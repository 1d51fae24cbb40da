r"""Temporal action detection in long videos: trains a window classifier and a detector.

The complete pipeline in one script, to read and adapt. Without flags it trains a small
convolutional network on long videos of moving shapes, generated and encoded on first use.

    python recipes/train_spans.py

On your own annotations, in any format that `data.read_spans` reads:

    python recipes/train_spans.py --train_list train.csv --test_list test.csv --data_root videos \
        --row tsn_r50_1x1x8_100e_kinetics400_rgb --weights kinetics400 --window 2 --stride 0.5

Two methods turn windows into spans: thresholding the window scores, with settings fitted on a fifth
of the training videos, held out from the classifier; and ActionFormer (arXiv:2202.07925) on the
window features. Both are evaluated; the work directory then holds `classifier.keras` with
`settings.json`, and `detector.keras`, all for use with `keras-video spans`.
"""

from pathlib import Path

import keras
import numpy as np
from absl import app, flags
from keras import layers

from keras_video import data, inference, probes, training, zoo
from keras_video.applications import TSN, ActionFormer

FLAGS = flags.FLAGS
flags.DEFINE_string("train_list", None, "annotation file; the embedded videos if not given")
flags.DEFINE_string("test_list", None, "annotation file of the videos to evaluate on")
flags.DEFINE_string("data_root", None, "folder with the videos of the lists")
flags.DEFINE_string("row", None, "zoo row of the classifier; a small network if not given")
flags.DEFINE_string("weights", None, "initial weights of the row")
flags.DEFINE_string("work_dir", "work_dirs/spans", "output directory")
flags.DEFINE_float("window", 0.32, "length of a window in seconds", 0)
flags.DEFINE_float("stride", 0.16, "stride between windows in seconds", 0)
flags.DEFINE_integer("epochs", 30, "epochs of classifier training", 1)
flags.DEFINE_integer("detector_epochs", 60, "epochs of detector training", 1)

# Extra class of the classifier, after the classes of the lists.
BACKGROUND = "background"
LENGTH = 256  # feature vectors in a training sequence of the detector


def main(_):
    keras.utils.set_random_seed(0)
    folder = Path(FLAGS.work_dir)
    if FLAGS.train_list:
        train = data.read_spans(FLAGS.train_list, FLAGS.data_root)
        test = data.read_spans(FLAGS.test_list, FLAGS.data_root, classes=train[0].classes)
    else:
        videos = data.embedded_long_videos()
        train, test = (
            data.read_spans(file, videos.root, classes=videos.class_names)
            for file in (videos.train_list, videos.test_list)
        )
    report = train_and_evaluate(train, test, folder)
    for name, precision in report.items():
        per_iou = "  ".join(f"{iou:g}: {precision.at(iou):.3f}" for iou in (0.3, 0.5, 0.7, 0.95))
        print(f"{name:30} average mAP {precision.average:.4f}   {per_iou}")


def train_and_evaluate(train, test, folder):
    """Trains both methods; returns `{name: SpanPrecision}` on the test videos."""
    classes, held_out = train[0].classes, train[::5]
    model = classifier([*classes, BACKGROUND])
    fit_classifier(model, [record for record in train if record not in held_out])
    training.save_model(model, folder / "classifier.keras")

    # One pass over every video computes the features; the classifier's last layer scores them.
    features = probes.extract_window_features(
        probes.ProbeBody(model),
        [record.video for record in (*train, *test)],
        window=FLAGS.window,
        stride=FLAGS.stride,
        cache=folder / "features",
    )
    windows = {video: scores_of(model, extracted) for video, extracted in features.items()}

    fitted = training.fit_span_settings(windows, held_out, model.class_names, background=BACKGROUND)
    fitted.save(folder / "settings.json")
    detector = fit_detector(features, train)
    training.save_model(detector, folder / "detector.keras")

    labels = {"class_names": model.class_names, "background": BACKGROUND}

    def unfitted_spans(video):
        return inference.spans(windows[video], **labels)

    def fitted_spans(video):
        settings = (fitted.threshold, fitted.merge_gap, fitted.min_length)
        return inference.spans(windows[video], *settings, **labels)

    def detected_spans(video):
        return inference.detect_spans(detector, features[video])

    methods = {
        "window scores over 0.5": unfitted_spans,
        "window scores, fitted": fitted_spans,
        "ActionFormer": detected_spans,
    }
    return {name: precision(find, test) for name, find in methods.items()}


def classifier(class_names):
    """Builds the window classifier, from the row if one is given."""
    if FLAGS.row:
        row = zoo.row(FLAGS.row)
        model = row.model(FLAGS.weights, classes=len(class_names))
    else:
        row = zoo.row("tsn_r18_1x1x4_moving_shapes")
        x = images = keras.Input((64, 64, 3))
        for filters in (16, 32, 64):
            x = layers.Conv2D(filters, 3, 2, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
        body = keras.Model(images, x, name="small_body")
        shape = (4, 64, 64, 3)
        model = TSN(backbone=body, classes=len(class_names), input_shape=shape, dropout=0.2)
    model.class_names = class_names
    model.protocol = row.protocol("test")
    return model


def fit_classifier(model, records):
    """Trains the classifier on windows inside spans, across span boundaries and in background."""
    clips = data.span_clips(records, window=FLAGS.window)
    row = zoo.row(FLAGS.row or "tsn_r18_1x1x4_moving_shapes")
    dataset = data.row_dataset(row, clips, "train", classes=len(model.class_names), batch_size=32)
    steps = FLAGS.epochs * len(dataset)
    rate = keras.optimizers.schedules.CosineDecay(0.003, steps)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(dataset, epochs=FLAGS.epochs, shuffle=False, verbose=2)


def scores_of(model, features):
    """Computes the window scores from the window features."""
    kernel, bias = (
        keras.ops.convert_to_numpy(weight) for weight in model.get_layer("fc_cls").weights
    )
    logits = features.features @ kernel + bias
    scores = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    return inference.WindowScores(features.starts, features.ends, scores)


def fit_detector(features, records):
    """Trains an ActionFormer on the window features."""
    channels = features[records[0].video].features.shape[1]
    detector = ActionFormer(
        classes=len(records[0].classes),
        input_shape=(None, channels),
        embed_dim=48,
        depths=(2, 1, 4),
        window=9,
        layer_scale=0.1,
    )
    detector.class_names = list(records[0].classes)
    sequences = training.SpanSequences(features, records, LENGTH, batch_size=6, stride=16)
    steps = FLAGS.detector_epochs * len(sequences)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=0.002, warmup_steps=max(1, steps // 10)
    )
    detector.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=1.0),
        loss={"classes": training.SpanFocalLoss(), "offsets": training.SpanIoULoss()},
    )
    detector.fit(sequences, epochs=FLAGS.detector_epochs, verbose=2)
    return detector


def precision(find, records):
    """Mean average precision of the spans that `find(video)` returns, against the records."""
    predictions = [
        data.SpanRecord(record.video, tuple(find(record.video)), record.classes)
        for record in records
    ]
    return training.span_mean_average_precision(predictions, records)


if __name__ == "__main__":
    app.run(main)
