"""Training of a probe: from labeled videos to a model."""

import os
import time
from collections import Counter
from dataclasses import dataclass

import keras
from absl import logging
from keras import layers

from keras_video.applications.model import VideoModel
from keras_video.data.annotations.records import printable
from keras_video.data.pipelines.class_folders import ClassFolders, class_names_of
from keras_video.probes.bodies import ProbeBody
from keras_video.probes.extraction import VideoFeatures, extract_features
from keras_video.probes.reports import ProbeReport, report_of
from keras_video.probes.validation import cross_validate, fit_videos, video_scores


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """A trained probe.

    Attributes:
        model: the body with the head, a `VideoModel` with class names and protocol. It shares its
            layers with the model that was probed.
        report: report of the cross-validation.
        held_out: report on the held-out videos, or `None`.
        features: features of the training videos.
        facts: the head's hyperparameters, and the seconds spent on features and heads.
    """

    model: keras.Model
    report: ProbeReport
    held_out: ProbeReport | None
    features: VideoFeatures
    facts: dict


def probe(
    model,
    records,
    class_names=None,
    *,
    held_out=None,
    head="linear",
    views=(1, 1),
    folds=5,
    balanced=True,
    neighbors=5,
    seed=0,
    source=None,
    cache=None,
    on_error="raise",
    protocol=None,
    engine=None,
    verbose=1,
):
    """Trains a small head on the features of a frozen model.

    The features of every video are computed once and cached on disk. The head is trained on all
    `records` and evaluated by cross-validation, in which copies of a video stay together.

    Args:
        model: see `ProbeBody`; it is not changed.
        records: a folder with a sub-folder of videos for each class, or a sequence of
            `keras_video.data.Record` with one label each.
        class_names: a name for every label; the folders' names, or numbers, if `None`.
        held_out: further records to evaluate the trained head on.
        head: "linear", "attentive" or "knn", see `fit_head`.
        views: `(clips, crops)` of every video, in training and inference.
        folds: number of cross-validation folds.
        balanced: whether every class has the same weight in training.
        neighbors: "knn": number of neighbors that vote.
        seed: seed of the folds and of an attentive head's training.
        source, cache, on_error, engine: see `extract_features`.
        protocol: a `keras_video.zoo.Protocol` used instead of the model's.
        verbose: 0 shows no progress.

    Returns:
        A `ProbeResult`.

    Raises:
        tf.errors.InvalidArgumentError: naming a video that cannot be read.
        ValueError: for a video without exactly one label, fewer than two classes with videos, a
            class with a single video, or a model that cannot be probed.
    """
    records, class_names = _labeled(records, class_names, source)
    _check_records([*records, *(held_out or ())], class_names)
    body = ProbeBody(model, head == "attentive", views, protocol)
    options = {"source": source, "cache": cache, "on_error": on_error, "engine": engine}
    options["verbose"] = verbose
    started = time.monotonic()
    features = extract_features(body, records, **options)
    held_out_features = extract_features(body, held_out, **options) if held_out else None
    _check_labels(features, class_names)
    _warn_of_copies(features, held_out_features)
    computed = features.computed + (held_out_features.computed if held_out_features else 0)
    facts = {
        "computed_features": computed,
        "seconds_features": round(time.monotonic() - started, 2),
    }
    settings = {"balanced": balanced, "neighbors": neighbors, "seed": seed}
    validation = {"folds": folds, "verbose": verbose}
    return _trained(
        body, features, held_out_features, class_names, head, settings, validation, facts
    )


def _trained(body, features, held_out_features, class_names, head, settings, validation, facts):
    """Trains and evaluates a head on features."""
    average = body.protocol.score_average
    started = time.monotonic()
    data = features.features, features.labels, len(class_names)
    scores = cross_validate(
        head, *data, groups=features.groups, score_average=average, **validation, **settings
    )
    trained = fit_videos(head, *data, **settings)
    seconds = round(time.monotonic() - started, 2)
    held_out = None
    if held_out_features is not None:
        held_out_scores = video_scores(trained, held_out_features.features, average)
        held_out = _report(held_out_scores, held_out_features, class_names)
    return ProbeResult(
        attach_head(body, trained, class_names),
        _report(scores, features, class_names),
        held_out,
        features,
        {"head": head, **trained.facts, **facts, "seconds_heads": seconds},
    )


def attach_head(body, head, class_names):
    """The model of a body and a head, with the body's protocol.

    Args:
        body: a `ProbeBody`.
        head: a `Head`.
        class_names: a name for every logit.

    Returns:
        A `VideoModel` that ends in `predictions`.
    """
    logits = head.attach(body.features)
    outputs = layers.Activation("softmax", dtype="float32", name="predictions")(logits)
    model = VideoModel(body.model.inputs, outputs, name=f"{body.model.name}_probe")
    model.class_names = list(class_names)
    model.protocol = body.protocol
    return model


def _report(scores, features, class_names):
    return report_of(
        scores, features.labels, class_names, [record.path for record in features.records]
    )


def _labeled(records, class_names, source):
    """The records of a folder or a sequence, and the names of their classes."""
    if isinstance(records, str | os.PathLike):
        names = class_names_of(records) if class_names is None else tuple(class_names)
        return list(ClassFolders(names, source)(records)), names
    records = list(records)
    if class_names is None:
        most = max((label for record in records for label in record.labels), default=-1)
        class_names = [str(number) for number in range(most + 1)]
    return records, tuple(class_names)


def _check_records(records, class_names):
    for record in records:
        if len(record.labels) != 1:
            raise ValueError(
                f"{record.source}: {printable(record.path)} has {len(record.labels)} labels, "
                "expected one"
            )
        if not 0 <= record.labels[0] < len(class_names):
            raise ValueError(
                f"{record.source}: {printable(record.path)} has the label {record.labels[0]}, "
                f"expected one from 0 to {len(class_names) - 1}"
            )


def _check_labels(features, class_names):
    videos = {(label, key) for label, key in zip(features.labels, features.keys, strict=True)}
    counts = Counter(int(label) for label, _ in videos)
    if len(counts) < 2:
        only = ", ".join(repr(class_names[label]) for label in counts)
        raise ValueError(f"received videos of {len(counts)} class ({only}), expected at least two")
    for label, count in sorted(counts.items()):
        if count < 2:
            raise ValueError(
                f"the class {class_names[label]!r} has {count} video, expected at least 2: one to "
                "train on and one to evaluate on"
            )


def _warn_of_copies(features, held_out_features):
    """Warns of copies of videos within the training data, and between it and the held-out data."""
    by_key = {}
    for record, key in zip(features.records, features.keys, strict=True):
        by_key.setdefault(key, []).append(record)
    for copies in by_key.values():
        if len(copies) > 1:
            labels = {record.labels[0] for record in copies}
            logging.warning(
                "%s are the same video%s.",
                " and ".join(printable(record.path) for record in copies),
                " with different labels" if len(labels) > 1 else "",
            )
    if held_out_features is None:
        return
    for record, key in zip(held_out_features.records, held_out_features.keys, strict=True):
        if key in by_key:
            logging.warning(
                "%s, which the head is evaluated on, is the same video as %s, which it is trained "
                "on.",
                printable(record.path),
                printable(by_key[key][0].path),
            )


def seconds_text(facts):
    """A line of text on the time that a probe took."""
    return (
        f"{facts['computed_features']} features computed in {facts['seconds_features']:.1f} s, "
        f"heads trained in {facts['seconds_heads']:.1f} s"
    )
