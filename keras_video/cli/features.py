r"""Extracts features of many videos, for training small models or for retrieval.

    keras-video features --row tsn_r50_1x1x8_100e_kinetics400_rgb \
        --list train.txt --data_root videos --out features
    keras-video features folder_of_videos --model model.keras \
        --layer layer3_1_conv2_bn --out features.h5

The features of a video are a float32 array `(views, channels)`, stored as a `.npy` file named like
the video or as a dataset of an HDF5 file. Without `--layer`, they are the input of the classifier.
Repeat the command to resume an interrupted run.

A list of any length, in several processes, written to files of 500 videos each:

    keras-video features --row tsn_r50_1x1x8_100e_kinetics400_rgb --list s3://bucket/list.txt \
        --data_root s3://bucket/videos --engine ray --workers 8 --format parquet --out features
"""

from pathlib import Path

from absl import logging

from keras_video import data, inference
from keras_video.cli.long_lists import (
    define_engine_flags,
    define_shard_flags,
    engine_of,
    listed_videos,
    report_shards,
)
from keras_video.cli.models import (
    chosen_model,
    define_model_flags,
    define_optimize_flag,
    log_optimization,
)
from keras_video.data.annotations.parsing import require_files
from keras_video.data.annotations.records import printable
from keras_video.data.annotations.shards import is_manifest, list_of
from keras_video.inference.feature_files import HDF5_SUFFIXES, feature_store, output_names
from keras_video.inference.single_view import single_view
from keras_video.inference.video import protocol_of
from keras_video.progress import progress_bar

TAKES_ARGUMENTS = True


def define(flags):
    define_model_flags(flags)
    define_optimize_flag(flags)
    flags.string(
        "layer", None, "layer whose output is extracted; the input of the classifier if not given"
    )
    flags.choice("pooling", "avg", ["avg", "max", "none"], "pooling over time and space")
    flags.group("Videos")
    flags.string(
        "list",
        None,
        "annotation file or class folders, in place of videos and folders as arguments",
    )
    flags.string("data_root", None, "folder that the listed paths are relative to")
    flags.choice(
        "view_features",
        "all",
        ["all", "mean", "one"],
        "all test views, their mean, or a single view",
    )
    flags.choice("on_error", "raise", ["raise", "skip"], "what to do with unreadable videos")
    flags.group("Output")
    text = "folder for .npy files, or an .h5 file; with --engine a folder"
    flags.string("out", None, text, required=True)
    define_engine_flags(flags)
    define_shard_flags(flags)


def run(options, arguments):
    engine = engine_of(options)
    if engine is not None:
        return run_in_shards(options, arguments, engine)
    videos = named_videos(options, arguments)
    log_optimization(options)
    model = chosen_model(options)
    features = inference.feature_model(model, options.layer, options.pooling)
    store = feature_store(options.out, settings(options))
    remaining = [name for name in videos if name not in store]
    print(f"{len(videos)} videos, {len(videos) - len(remaining)} of them already done.")

    report = data.DecodeReport()
    dataset, max_views = view_dataset(options, model, [videos[name] for name in remaining], report)
    bar = progress_bar(len(remaining), "video")
    for number, (clips, index) in enumerate(dataset, 1):
        clips = clips.numpy()
        views = clips if clips.ndim == len(model.input_shape) else clips[None]
        to_come = (len(remaining) - number) * len(views)
        array = features(views, max_views, optimize=options.optimize, to_come=to_come)
        array = array.mean(0) if options.view_features == "mean" else array
        store.write(remaining[int(index)], array)
        bar.add(1)
    store.finish(videos)
    missing = [name for name in remaining if name not in store]
    print(f"\nFeatures of {len(videos) - len(missing)} videos are in {options.out}")
    for name in missing:
        logging.error("%s could not be read", printable(videos[name]))
    return len(missing) and f"{len(missing)} of {len(videos)} videos could not be read."


def run_in_shards(options, arguments, engine):
    """Writes the features of a list, or of videos and folders, to shards."""
    if Path(options.out).suffix.lower() in HDF5_SUFFIXES:
        raise ValueError(f"--out={options.out}: expected a folder, as --engine is given.")
    videos = listed_videos(arguments, options.list, options.data_root, options.on_error)
    log_optimization(options)
    summary = inference.feature_shards(
        chosen_model(options),
        videos,
        options.out,
        layer=options.layer,
        pooling=options.pooling,
        view_features=options.view_features,
        engine=engine,
        shard_size=options.shard_size,
        file_format=options.format,
        on_error=options.on_error,
        optimize=options.optimize,
    )
    return report_shards(summary, options.out, "Features")


def named_videos(options, arguments):
    """`{name in the output: path}` of the list, or of the videos and folders given.

    Raises:
        ValueError: if neither a list nor videos are given, or both.
        FileNotFoundError: naming videos that do not exist.
        ValueError: if two videos would have the same name in the output.
    """
    if bool(arguments) == bool(options.list):
        raise ValueError(f"received {arguments} and --list={options.list}, expected one of them.")
    if options.list:
        root = Path(options.data_root or ".")
        if is_manifest(list_of(options.list)):
            raise ValueError(
                f"--list={options.list}: videos in shards have no names for the output, "
                "expected a list of files"
            )
        if Path(options.list).is_dir():
            root = Path(options.list)
            records = data.read_annotations(root, annotation_format=data.ClassFolders())
        else:
            records = data.read_annotations(options.list, root)
        if options.on_error == "raise":
            require_files(records)
        paths = [record.path for record in records]
    else:
        root = Path(arguments[0])
        paths = [str(path) for argument in arguments for path in data.video_files(argument)]
    return output_names(paths, root)


def view_dataset(options, model, paths, report):
    """`(dataset of (views of a video, index), views per forward pass)`."""
    protocol = single_view(model) if options.view_features == "one" else protocol_of(model)
    dataset = data.protocol_dataset(
        protocol,
        [data.Record(path, (index,)) for index, path in enumerate(paths)],
        batch_size=None,
        on_error=options.on_error,
        report=report,
    )
    return dataset, protocol.max_views


def settings(options):
    """The settings that determine the features."""
    return {
        "row": options.row,
        "model": options.model,
        "weights": options.weights,
        "layer": options.layer,
        "pooling": options.pooling,
        "views": options.view_features,
    }
