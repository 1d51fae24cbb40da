"""The parts of a training run that every recipe needs and that no family changes."""

import dataclasses
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from keras_video import data
from keras_video.inference.video import predict_video
from keras_video.training.callbacks import EpochSeed, LearningRateScaling, training_callbacks
from keras_video.training.evaluation import MultiViewEvaluation, evaluate_views
from keras_video.training.records import read_log
from keras_video.training.results import write_results


@dataclass(frozen=True)
class Videos:
    """The lists of a training: annotation files, the folder of their paths, class names."""

    train_list: Path
    val_list: Path
    root: Path | None
    class_names: tuple[str, ...]


def begin(flags, row):
    """Prepares the work folder, logging, seeds and precision.

    Leaves `flags.json` in the folder; without `--resume`, an earlier run there is removed.

    Returns:
        The work folder.
    """
    work_dir = Path(flags.work_dir or f"work_dirs/{row.name}")
    if not flags.resume and work_dir.exists():
        shutil.rmtree(work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    logging.get_absl_handler().use_absl_log_file("train", str(work_dir))
    logging.set_stderrthreshold("info")
    values = flags.flags_by_module_dict()
    ours = [flag for module, found in values.items() if "keras_video" in module for flag in found]
    settings = {flag.name: flag.value for flag in ours}
    (work_dir / "flags.json").write_text(json.dumps(settings, indent=2) + "\n")
    keras.utils.set_random_seed(flags.seed)
    if flags.deterministic:
        tf.config.experimental.enable_op_determinism()
    if flags.mixed_precision:
        gpu = bool(tf.config.list_physical_devices("GPU"))
        keras.mixed_precision.set_global_policy("mixed_float16" if gpu else "mixed_bfloat16")
    return work_dir


def replicas():
    """The strategy that copies the model to every GPU of this machine, or to its CPU."""
    return tf.distribute.MirroredStrategy()


def verbosity():
    """What `fit` prints: a progress bar in a terminal, a line per epoch in a file."""
    return 1 if sys.stdout.isatty() else 2


def find_videos(flags, task="appearance"):
    """The lists that the flags name, or the embedded dataset of this task.

    Raises:
        ValueError: if only one of the two lists is given, or the names do not cover the labels.
    """
    if not flags.train_list and not flags.val_list:
        train_list, val_list, class_names = data.embedded_dataset(task)
        return Videos(train_list, val_list, train_list.parent, tuple(class_names))
    if not (flags.train_list and flags.val_list):
        raise ValueError(
            f"--train_list={flags.train_list} --val_list={flags.val_list}: give both or neither."
        )
    lists = [Path(flags.train_list), Path(flags.val_list)]
    labels = [max(record.labels) for path in lists for record in data.read_annotations(path)]
    if flags.class_names:
        names = tuple(data.read_class_names(flags.class_names))
    else:
        names = tuple(str(index) for index in range(max(labels) + 1))
    if len(names) <= max(labels):
        raise ValueError(
            f"--class_names={flags.class_names} has {len(names)} names, the largest label of "
            f"the lists is {max(labels)}."
        )
    return Videos(*lists, Path(flags.data_root) if flags.data_root else None, names)


def clip_datasets(flags, row, videos, batch_size, epoch):
    """The training clips and, with all views of the test protocol, the evaluation clips."""
    common = {"classes": len(videos.class_names), "on_error": flags.on_error}
    train = data.video_dataset(
        videos.train_list,
        videos.root,
        sampling=data.row_sampling(row, "train"),
        steps=data.row_steps(row, "train", flags.size),
        batch_size=batch_size,
        training=True,
        seed=flags.seed,
        epoch=epoch,
        drop_remainder=True,
        **common,
    )
    test = data.video_dataset(
        videos.val_list,
        videos.root,
        sampling=data.row_sampling(row, "test"),
        steps=data.row_steps(row, "test", flags.size),
        view_frames=row.view_frames,
        batch_size=flags.eval_batch_size,
        **common,
    )
    return train, test


def model_arguments(flags, row, videos):
    """What `row.model` is given besides the row's own: classes, clip shape, start."""
    frames, height, width, channels = row.input_shape
    size = flags.size or height
    shape = (frames, size, width if height == width and not flags.size else size, channels)
    return {
        "classes": len(videos.class_names),
        "input_shape": shape,
        "weights": flags.init,
    }


def describe(model, flags, row, videos):
    """Tells the model its class names and how it is fed, so that its file says so."""
    settings = row.preprocessing()
    if flags.size:
        settings = dataclasses.replace(settings, spatial=settings.spatial.scaled(flags.size))
    model.class_names = list(videos.class_names)
    model.preprocessing = settings.facts()


def callbacks(flags, row, work_dir, batch_size, epoch, test):
    """Rate scaling, epoch, evaluation, and what records and resumes a run, in working order."""
    own = [LearningRateScaling(row.batch_size, batch_size), EpochSeed(epoch)]
    if flags.validate:
        every = min(row.evaluation_interval or 1, flags.epochs or row.epochs)
        own.append(MultiViewEvaluation(test, row.average, row.max_views, every))
    monitor = "val_top1" if flags.validate else None
    return training_callbacks(work_dir, own, monitor=monitor)


def finish(model, row, work_dir, videos, test):
    """Saves the model, loads it again, evaluates what was loaded, and predicts one clip.

    Leaves `model.keras`, `metrics.json`, pictures and tables in the work folder.

    Returns:
        The content of `metrics.json`.
    """
    path = work_dir / "model.keras"
    model.save(path)
    model = keras.models.load_model(path)
    scores, labels = evaluate_views(model, test, average=row.average, max_views=row.max_views)
    history = read_log(work_dir / "log.csv")
    report = write_results(work_dir, scores, labels, videos.class_names, history)
    print(f"Top-1 {report['top1']:.4f} of {report['videos']} videos, from {path}")
    show_prediction(model, videos)
    print(f"Results are in {work_dir}")
    return report


def show_prediction(model, videos, top=5):
    """Prints the best classes of the first video of the evaluation list."""
    record = data.read_annotations(videos.val_list, videos.root)[0]
    scores = predict_video(model, record.path)
    truth = ", ".join(videos.class_names[label] for label in record.labels)
    print(f"{record.path} ({truth}):")
    for index in scores.argsort()[::-1][:top]:
        print(f"  {scores[index]:.4f}  {model.class_names[index]}")
