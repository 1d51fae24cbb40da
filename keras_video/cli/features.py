r"""Features of many videos, to train something small on or to search with.

    keras-video features --row tsn_r50_1x1x8_100e_kinetics400_rgb \
        --list train.txt --data_root videos --out features
    keras-video features folder_of_videos --model model.keras \
        --layer layer3_1_conv2_bn --out features.h5

Each video gives an array of float32, `(views, channels)`: a `.npy` file named like the video, or a
dataset of one HDF5 file. Without `--layer` they are what the classifier sees. A run that was
stopped goes on when the same command is given again.

A list of any length, on several processes, in files of 500 videos each:

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
    tell_optimized,
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
    flags.string("layer", None, "name of a layer; what the classifier sees if not given")
    flags.choice("pooling", "avg", ["avg", "max", "none"], "over frames and space")
    flags.group("Videos")
    flags.string("list", None, "annotation file or class folders; or give videos and folders")
    flags.string("data_root", None, "folder that the paths of the list are relative to")
    flags.choice(
        "view_features",
        "all",
        ["all", "mean", "one"],
        "a row for each test view, their mean, one view",
    )
    flags.choice("on_error", "raise", ["raise", "skip"], "for unreadable videos")
    flags.group("Output")
    text = "folder of .npy files, or a file ending in .h5; with --engine a folder"
    flags.string("out", None, text, required=True)
    define_engine_flags(flags)
    define_shard_flags(flags)


def run(options, arguments):
    engine = engine_of(options)
    if engine is not None:
        return run_in_shards(options, arguments, engine)
    videos = named_videos(options, arguments)
    tell_optimized(options)
    model = chosen_model(options)
    features = inference.feature_model(model, options.layer, options.pooling)
    store = feature_store(options.out, settings(options))
    left = [name for name in videos if name not in store]
    print(f"{len(videos)} videos, {len(videos) - len(left)} of them done before.")

    report = data.DecodeReport()
    dataset, max_views = view_dataset(options, model, [videos[name] for name in left], report)
    bar = progress_bar(len(left), "video")
    for number, (clips, index) in enumerate(dataset, 1):
        clips = clips.numpy()
        views = clips if clips.ndim == len(model.input_shape) else clips[None]
        to_come = (len(left) - number) * len(views)
        found = features(views, max_views, optimize=options.optimize, to_come=to_come)
        store.write(left[int(index)], found.mean(0) if options.view_features == "mean" else found)
        bar.add(1)
    store.finish(videos)
    missing = [name for name in left if name not in store]
    print(f"\nFeatures of {len(videos) - len(missing)} videos are in {options.out}")
    for name in missing:
        logging.error("%s could not be read", printable(videos[name]))
    return len(missing) and f"{len(missing)} of {len(videos)} videos could not be read."


def run_in_shards(options, arguments, engine):
    """Writes the features of a list, or of videos and folders, to shards."""
    if Path(options.out).suffix.lower() in HDF5_SUFFIXES:
        raise ValueError(f"--out={options.out}: expected a folder, as there is --engine.")
    videos = listed_videos(arguments, options.list, options.data_root, options.on_error)
    tell_optimized(options)
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
        ValueError: if two videos would have one name in the output.
    """
    if bool(arguments) == bool(options.list):
        raise ValueError(f"received {arguments} and --list={options.list}, expected one of them.")
    if options.list:
        root = Path(options.data_root or ".")
        if is_manifest(list_of(options.list)):
            raise ValueError(
                f"--list={options.list}: the features of videos in shards have no names in the "
                "output; expected a list of files"
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
    """`(dataset of (views of a video, index), views that go through the network at once)`."""
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
    """What decides the features."""
    return {
        "row": options.row,
        "model": options.model,
        "weights": options.weights,
        "layer": options.layer,
        "pooling": options.pooling,
        "views": options.view_features,
    }
