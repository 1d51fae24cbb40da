"""Features of many videos, to train something small on or to search with.

    python recipes/extract_features.py --row tsn_r50_1x1x3_100e_kinetics400_rgb \
        --list train.txt --data_root videos --out features
    python recipes/extract_features.py folder_of_videos --model model.keras \
        --layer layer3_1_conv2_bn --out features.h5

Each video gives an array of float32, `(views, channels)`: a `.npy` file named like the video, or a
dataset of one HDF5 file. Without `--layer` they are what the classifier sees. A run that was
stopped goes on when the same command is given again.
"""

from pathlib import Path

import keras
from absl import app, flags, logging

from keras_video import data, inference
from keras_video.data.annotations.records import printable
from keras_video.data.rows.presets import clip_sampler, clip_steps
from keras_video.inference.feature_files import feature_store, output_names
from keras_video.inference.flags import define_model_flags, flagged_model
from keras_video.inference.single_view import single_view
from keras_video.inference.video import preprocessing_of

FLAGS = define_model_flags()
flags.DEFINE_string("list", None, "file of `path label` lines; or give videos and folders")
flags.DEFINE_string("data_root", None, "folder that the paths of the list are relative to")
flags.DEFINE_string("out", None, "folder of .npy files, or a file ending in .h5", required=True)
flags.DEFINE_string("layer", None, "name of a layer; what the classifier sees if not given")
flags.DEFINE_enum("pooling", "avg", ["avg", "max", "none"], "over frames and space")
flags.DEFINE_enum(
    "views", "all", ["all", "mean", "one"], "an array row for each test view, their mean, one view"
)
flags.DEFINE_enum("on_error", "raise", ["raise", "skip"], "for unreadable videos")


def main(arguments):
    videos = named_videos(arguments[1:])
    model = flagged_model(FLAGS)
    features = inference.feature_model(model, FLAGS.layer, FLAGS.pooling)
    store = feature_store(FLAGS.out, settings())
    left = [name for name in videos if name not in store]
    print(f"{len(videos)} videos, {len(videos) - len(left)} of them done before.")

    report = data.DecodeReport()
    views, max_views = view_dataset(model, [videos[name] for name in left], report)
    bar = keras.utils.Progbar(len(left), unit_name="video")
    for clips, index in views:
        found = features(clips.numpy(), max_views)
        store.write(left[int(index)], found.mean(0) if FLAGS.views == "mean" else found)
        bar.add(1)
    store.finish(videos)
    missing = [name for name in left if name not in store]
    print(f"\nFeatures of {len(videos) - len(missing)} videos are in {FLAGS.out}")
    for name in missing:
        logging.error("%s could not be read", printable(videos[name]))
    return len(missing) and f"{len(missing)} of {len(videos)} videos could not be read."


def named_videos(arguments):
    """`{name in the output: path}` of the list, or of the videos and folders given.

    Raises:
        absl.app.UsageError: if neither a list nor videos are given, or both.
        FileNotFoundError: naming videos that do not exist.
        ValueError: if two videos would have one name in the output.
    """
    if bool(arguments) == bool(FLAGS.list):
        raise app.UsageError(f"received {arguments} and --list={FLAGS.list}, expected one of them.")
    if FLAGS.list:
        root = Path(FLAGS.data_root or ".")
        records = data.read_annotations(FLAGS.list, root)
        data.check_files(records)
        paths = [record.path for record in records]
    else:
        root = Path(arguments[0])
        paths = [str(path) for argument in arguments for path in data.video_files(argument)]
    return output_names(paths, root)


def view_dataset(model, paths, report):
    """`(dataset of (views of a video, index), views that go through the network at once)`."""
    fed = single_view(model) if FLAGS.views == "one" else preprocessing_of(model)
    dataset = data.dataset_from_records(
        [data.Record(path, (index,)) for index, path in enumerate(paths)],
        sampling=clip_sampler(fed.sampling),
        steps=clip_steps(fed.spatial, fed.normalize),
        view_frames=fed.view_frames,
        batch_size=None,
        on_error=FLAGS.on_error,
        report=report,
    )
    return dataset, fed.max_views


def settings():
    """What decides the features."""
    return {
        "row": FLAGS.row,
        "model": FLAGS.model,
        "weights": FLAGS.weights,
        "layer": FLAGS.layer,
        "pooling": FLAGS.pooling,
        "views": FLAGS.views,
    }


if __name__ == "__main__":
    app.run(main)
