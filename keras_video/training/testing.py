"""A model and its test protocol, from the flags of `recipes/evaluate.py`."""

import dataclasses
from dataclasses import dataclass

import keras
import tensorflow as tf
from absl import flags, logging

from keras_video import data, zoo
from keras_video.data.embedded.scenes import TASKS
from keras_video.data.rows.presets import clip_sampler, clip_steps
from keras_video.data.rows.sources import row_source
from keras_video.inference.video import preprocessing_of
from keras_video.inference.views import logits_model
from keras_video.training.evaluation import evaluate_views, views_at_once
from keras_video.training.settled_row import open_shape, read_views
from keras_video.training.sound import list_form
from keras_video.training.videos import SOURCES, form_of, source_kind
from keras_video.weights.keras_files import load_model


def define_evaluation_flags():
    """Defines the flags of an evaluation.

    Returns:
        `absl.flags.FLAGS`, readable once `absl.app.run` has parsed the command line.
    """
    flags.DEFINE_string("row", None, "row of the zoo: its model and test protocol")
    flags.DEFINE_string("checkpoint", None, "weights of the row; its published ones if not given")
    flags.DEFINE_string("model", None, "a .keras file instead of a row")
    flags.DEFINE_string(
        "list", None, "annotation file; for models of the embedded dataset, its own"
    )
    flags.DEFINE_string("data_root", None, "folder that the paths of the list are relative to")
    flags.DEFINE_enum("source", "auto", SOURCES, "what lists name; auto looks at the first line")
    flags.DEFINE_string("class_names", None, "file with a class name per line")
    flags.DEFINE_string("work_dir", "work_dirs/evaluation", "folder of the results")
    flags.DEFINE_string("views", None, "clips x crops, as 10x3; else those of the protocol")
    flags.DEFINE_integer("size", None, "crop size in pixels instead of the protocol's", 32)
    flags.DEFINE_integer("batch_size", 1, "videos read at once", 1)
    flags.DEFINE_integer("max_views", None, "views in the network at once; found if not given", 1)
    flags.DEFINE_bool("mixed_precision", False, "float16 on GPU, bfloat16 on CPU; float32 head")
    flags.DEFINE_enum("on_error", "raise", ["raise", "skip"], "for unreadable videos")
    return flags.FLAGS


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation has seen.

    Attributes:
        names: of the videos, as their list spells them.
        scores: probabilities (videos, classes).
        labels: class indices (videos,), or multi-hot (videos, classes).
    """

    names: tuple[str, ...]
    scores: object
    labels: object


def load_evaluated(flags):
    """The model that the flags name, with its weights, knowing its classes and protocol.

    Raises:
        ValueError: unless exactly one of row and model is given.
    """
    if bool(flags.row) == bool(flags.model):
        raise ValueError(f"--row={flags.row} --model={flags.model}: give one of the two.")
    if flags.model:
        if flags.checkpoint:
            raise ValueError(f"--checkpoint={flags.checkpoint}: only with --row.")
        return load_model(flags.model)
    row = zoo.row(flags.row)
    if flags.size:
        row = zoo.resized(row, flags.size)
    overrides = {"input_shape": open_shape(row)}
    names = flags.class_names and data.read_class_names(flags.class_names)
    if names:
        overrides["classes"] = len(names)
    model = row.model(weights=flags.checkpoint or True, **overrides)
    # The protocol of this row, whichever row the weights are of.
    model.preprocessing = row.preprocessing().facts()
    model.class_names = names or model.class_names
    return model


def protocol(model, flags):
    """The `zoo.Preprocessing` of a model, with the views and size of the flags."""
    settings = preprocessing_of(model)
    if flags.size and flags.model:
        spatial = settings.spatial.scaled(flags.size)
        settings = dataclasses.replace(settings, spatial=spatial)
    if flags.views:
        settings = zoo.other_views(settings, *read_views(flags.views))
    return settings


def evaluate_list(model, settings, flags):
    """Scores every video of a list; each is decoded once for all its views.

    A row that is tested "fully convolutionally" needs nothing of its own here: its classifier
    follows a mean over all positions, and a 1x1x1 convolution of one position is a dense layer.
    """
    listed = find_list(model, settings, flags)
    report = data.DecodeReport()
    dataset = views_of_list(
        listed,
        settings,
        batch_size=flags.batch_size,
        classes=model.outputs[0].shape[-1],
        multi_label=gives_tags(model) or None,
        on_error=flags.on_error,
        report=report,
    )
    shapes = [spec.shape[2:] for spec in tf.nest.flatten(dataset.element_spec[0])]
    found = min(views_at_once([side or 256 for side in shape]) for shape in shapes)
    limit = flags.max_views or settings.max_views or found
    logging.info("At most %d views go through the network at once: %s", limit, shapes)
    scores, labels = evaluate_views(model, dataset, average=settings.average, max_views=limit)
    failed = {failure.path for failure in report.failures}
    spelled = data.read_annotations(listed.file, form=listed.form)
    found = data.read_annotations(listed.file, listed.root, form=listed.form)
    pairs = zip(spelled, found, strict=True)
    names = tuple(one.path for one, other in pairs if other.path not in failed)
    return Evaluated(names, scores, labels)


def views_of_list(listed, settings, **options):
    """All views of the examples of a list, of frames, of sound, or of both."""
    if settings.audio is None:
        return data.video_dataset(
            listed.file,
            listed.root,
            form=listed.form,
            source=listed.source,
            sampling=clip_sampler(settings.sampling),
            steps=clip_steps(settings.spatial, settings.normalize),
            view_frames=settings.view_frames,
            **options,
        )
    row = zoo.row(settings.row)
    spatial = settings.spatial and zoo.Phases(test=settings.spatial)
    row = dataclasses.replace(row, sampling=zoo.Phases(test=settings.sampling), spatial=spatial)
    make = data.row_audio_dataset if settings.spatial is None else data.row_audiovisual_dataset
    return make(row, "test", listed.file, listed.root, form=listed.form, **options)


@dataclass(frozen=True)
class Listed:
    """The list to evaluate on: its file, the folder of its paths, how both are read."""

    file: object
    root: object
    source: object = None
    form: object = None


def find_list(model, settings, flags):
    """The list that the flags name, or that of the embedded dataset whose classes the model has.

    Raises:
        ValueError: if no list is given and there is no such dataset.
    """
    if not flags.list:
        for task, scenes in TASKS.items():
            if tuple(model.class_names or ()) == tuple(scenes.class_names):
                shapes = data.embedded_dataset(task)
                return Listed(shapes.val_list, shapes.root)
        raise ValueError("--list is missing, and the model is not of an embedded dataset.")
    row = zoo.row(settings.row) if settings.row else None
    if settings.audio is not None:
        return Listed(flags.list, flags.data_root, form=list_form(flags.list, row))
    if row is None:
        return Listed(flags.list, flags.data_root)
    kind = source_kind(flags.source, row, flags.list, flags.data_root)
    form = form_of(row, "test", kind, flags.list)
    return Listed(flags.list, flags.data_root, row_source(row, kind), form)


def gives_tags(model):
    """Whether the model gives every class a probability of its own."""
    logits_model(model)  # refuses a model that does not end in `predictions`
    return model.outputs[0]._keras_history.operation.activation is keras.activations.sigmoid


def names_of_classes(model, flags):
    """The names in the flags' file, or those of the model, or numbers."""
    if flags.class_names:
        return data.read_class_names(flags.class_names)
    return model.class_names or [str(index) for index in range(model.outputs[0].shape[-1])]
