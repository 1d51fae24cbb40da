"""Evaluation of a model on a list of videos, under its test protocol."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from keras_video import data, zoo
from keras_video.data.annotations.shards import list_of
from keras_video.data.embedded.scenes import TASKS
from keras_video.data.pipelines.class_folders import ClassFolders
from keras_video.data.rows.audio import audio_annotation_format
from keras_video.data.rows.sources import (
    annotation_format_of,
    plain_source_of_list,
    row_source,
    source_kind,
)
from keras_video.inference.two_classes import class_count, class_names_of
from keras_video.inference.video import protocol_of
from keras_video.inference.views import logits_model
from keras_video.layers.view_average import views_at_once
from keras_video.training.evaluation import evaluate_views
from keras_video.training.lists import RunLists, folder_source, require_examples
from keras_video.training.resolve_config import model_input_shape
from keras_video.weights.keras_files import load_model


@dataclass(frozen=True)
class EvaluationSettings:
    """The model to evaluate, the list, and overrides of the model's test protocol.

    Attributes:
        row: row of the zoo, with its weights; or
        model: a `.keras` file.
        weights: of the row: a file or a value that the constructor accepts; the published weights
            if `None`.
        list: annotation file, folder with a sub-folder for each of the model's classes, or packed
            shards; `None` for the list of the embedded dataset that has the model's classes.
        data_root: folder that the paths of the list are relative to.
        source: kind of example that the list names; "auto" inspects the first line.
        class_names: file with a class name per line.
        on_error: "raise" or "skip", for videos that cannot be read.
        views: (clips, crops) in place of the protocol's.
        size: side of the crops in pixels.
        batch_size: videos per batch.
        max_views: views per forward pass.
        optimize: "auto" or "off", see `predict_views`.
    """

    row: str | None = None
    model: str | None = None
    weights: str | None = None
    list: str | None = None
    data_root: str | None = None
    source: str = "auto"
    class_names: str | None = None
    on_error: str = "raise"
    views: tuple[int, int] | None = None
    size: int | None = None
    batch_size: int = 1
    max_views: int | None = None
    optimize: str = "auto"


@dataclass(frozen=True)
class EvaluationResult:
    """The scores and labels of an evaluated list.

    Attributes:
        names: of the videos, as their list spells them.
        scores: probabilities (videos, classes).
        labels: class indices (videos,), or multi-hot (videos, classes).
        listed: number of videos in the list, including those that could not be read.
    """

    names: tuple[str, ...]
    scores: object
    labels: object
    listed: int


def evaluated_model(settings):
    """The model that the settings name, with its weights, class names and protocol.

    Raises:
        ValueError: unless exactly one of row and model is given.
    """
    if bool(settings.row) == bool(settings.model):
        raise ValueError(f"row={settings.row} model={settings.model}: give one of the two.")
    if settings.model:
        if settings.weights:
            raise ValueError(f"weights={settings.weights}: only with a row.")
        return load_model(settings.model)
    row = zoo.row(settings.row)
    if settings.size:
        row = zoo.resized(row, settings.size)
    overrides = {"input_shape": model_input_shape(row)}
    names = settings.class_names and data.read_class_names(settings.class_names)
    if names:
        overrides["classes"] = len(names)
    model = row.model(weights=settings.weights or True, **overrides)
    # The protocol of this row, whichever row the weights belong to.
    model.protocol = row.protocol("test")
    model.class_names = names or model.class_names
    return model


def evaluation_protocol(model, settings):
    """The `zoo.Protocol` of a model, with the views and size of the settings."""
    protocol = protocol_of(model)
    if settings.size and settings.model:
        spatial = protocol.spatial.scaled(settings.size)
        protocol = dataclasses.replace(protocol, spatial=spatial)
    if settings.views:
        protocol = zoo.other_views(protocol, *settings.views)
    return protocol


def evaluate_list(model, protocol, settings):
    """Scores every video of a list; each is decoded once for all its views.

    A row that is tested "fully convolutionally" needs no special handling: its classifier
    follows a mean over all positions, and a 1x1x1 convolution of one position is a dense layer.
    """
    listed = find_list(model, protocol, settings)
    if settings.on_error == "raise" and settings.list:
        lists = RunLists(
            listed.file, None, listed.root, (), listed.source, listed.annotation_format
        )
        require_examples(lists)
    report = data.DecodeReport()
    dataset = data.protocol_dataset(
        protocol,
        listed.file,
        listed.root,
        source=listed.source,
        annotation_format=listed.annotation_format,
        batch_size=settings.batch_size,
        classes=class_count(model),
        multi_label=is_multi_label(model) or None,
        on_error=settings.on_error,
        report=report,
    )
    specs = zip(tf.nest.flatten(dataset.element_spec[0]), model.inputs, strict=True)
    shapes = [spec.shape[1 - len(inputs.shape) :] for spec, inputs in specs]
    default = min(views_at_once(shape) for shape in shapes)
    limit = settings.max_views or protocol.max_views or default
    logging.info("At most %d views per forward pass: %s", limit, shapes)
    scores, labels = evaluate_views(
        model,
        dataset,
        score_average=protocol.score_average,
        max_views=limit,
        optimize=settings.optimize,
    )
    failed = {failure.path for failure in report.failures}
    records = data.read_annotations(
        listed.file, listed.root, annotation_format=listed.annotation_format
    )
    names = tuple(record.listed for record in records if record.path not in failed)
    return EvaluationResult(names, scores, labels, len(records))


@dataclass(frozen=True)
class EvaluationList:
    """The list to evaluate on: its file, the folder of its paths, and how to read both."""

    file: object
    root: object
    source: object = None
    annotation_format: object = None


def find_list(model, protocol, settings):
    """The list of the settings, or that of the embedded dataset that has the model's classes.

    Raises:
        ValueError: if no list is given and there is no such dataset.
    """
    file = list_of(settings.list)
    if not file:
        for task, scenes in TASKS.items():
            if tuple(model.class_names or ()) == tuple(scenes.class_names):
                shapes = data.embedded_dataset(task)
                return EvaluationList(shapes.val_list, shapes.root)
        raise ValueError(
            "list=None: expected an annotation file, as no embedded dataset has the "
            "model's classes."
        )
    row = zoo.row(protocol.row) if protocol.row else None
    if Path(file).is_dir():
        return folder_list(model, protocol, settings, row)
    if protocol.audio is not None:
        return EvaluationList(
            file, settings.data_root, annotation_format=audio_annotation_format(file, row)
        )
    if row is None:
        return EvaluationList(file, settings.data_root, plain_source_of_list(file))
    kind = source_kind(settings.source, row, file, settings.data_root)
    annotation_format = annotation_format_of(row, "test", kind, file)
    return EvaluationList(file, settings.data_root, row_source(row, kind), annotation_format)


def folder_list(model, protocol, settings, row):
    """The list of a folder with a sub-folder of examples for each class of the model."""
    if settings.data_root:
        raise ValueError(
            f"data_root={settings.data_root}: has no effect, as list={settings.list} is a folder."
        )
    names = tuple(names_of_classes(model, settings))
    if row is not None:
        source = folder_source(settings, row, settings.list)
    else:
        source = data.Videos() if protocol.audio is None else data.Waveforms()
    annotation_format = ClassFolders(names, source)
    video_source = source if protocol.audio is None else None
    return EvaluationList(settings.list, None, video_source, annotation_format)


def is_multi_label(model):
    """Whether the model outputs an independent probability for every class.

    A single output distinguishes two classes, so it does not count.
    """
    logits_model(model)  # rejects a model that does not end in `predictions`
    if model.outputs[0].shape[-1] == 1:
        return False
    return model.outputs[0]._keras_history.operation.activation is keras.activations.sigmoid


def names_of_classes(model, settings):
    """The class names in the settings' file, or those of the model, or numbers."""
    if settings.class_names:
        return data.read_class_names(settings.class_names)
    return class_names_of(model)
