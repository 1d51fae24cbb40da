r"""The best classes of a video, or of every video in a folder.

A whole video under the test protocol of the model's row:

    keras-video predict clip.mp4 --row tsn_r50_1x1x8_100e_kinetics400_rgb

A long video by a window that slides over it, with the scores drawn under the frames:

    keras-video predict clip.mp4 --model work_dirs/tsn/model.keras --out scores.mp4 \
        --window 3 --stride 1 --smoothing 0.5

With `--window`, `--stride` or `--out` the model sees one view of every window, and a video's scores
are the mean over its windows. Frames are decoded one at a time: a video may be hours long. For a
folder `--out` is a folder.

A list of any length, on several processes, with all scores in files of 500 videos each:

    keras-video predict list.txt --data_root videos --engine ray --workers 8 --out scores \
        --row tsn_r50_1x1x8_100e_kinetics400_rgb

Paths of videos, lists and `--out` may then be addresses such as s3://bucket/folder. A run that was
stopped goes on when the same command is given again.
"""

import dataclasses
from pathlib import Path

from absl import logging

from keras_video import data, inference
from keras_video.applications.preprocessing import decode_predictions
from keras_video.cli.long_lists import (
    define_engine_flags,
    define_shard_flags,
    engine_of,
    listed_videos,
    refuse_flags,
    report_shards,
)
from keras_video.cli.models import (
    chosen_model,
    define_model_flags,
    define_optimize_flag,
    tell_optimized,
)
from keras_video.data.annotations.records import printable
from keras_video.inference.drawing import pillow
from keras_video.inference.predictions import check_writable, prediction, write_csv, write_json
from keras_video.inference.two_classes import both_classes, class_names_of

TAKES_ARGUMENTS = True


def define(flags):
    define_model_flags(flags)
    define_optimize_flag(flags)
    flags.string("data_root", None, "with --engine: folder that the paths of a list start from")
    flags.group("Windows")
    flags.number("window", None, "seconds of a window; 2 or the model's clip if not given", 0)
    flags.number("stride", None, "seconds between windows; half a window if not given", 0)
    flags.number("smoothing", 0.0, "share of the windows before in a score", 0, 0.99)
    flags.group("Output")
    flags.integer("top", 5, "classes to name", 1)
    text = "video to write, with the scores drawn; a folder for a folder, and with --engine"
    flags.string("out", None, text)
    flags.string("json", None, "file to write the predictions to")
    flags.string("csv", None, "file to write the predictions to, a line per class")
    define_engine_flags(flags)
    define_shard_flags(flags)


def run(options, arguments):
    engine = engine_of(options)
    if engine is not None:
        return run_in_shards(options, arguments, engine)
    refuse_flags(options, ("data_root",), "without --engine")
    if len(arguments) != 1:
        raise ValueError(f"received {arguments}, expected one video or folder.")
    source = Path(arguments[0])
    videos = data.video_files(source)
    if not videos:
        raise ValueError(f"received {source}, which has no videos.")
    check_writable(options.out, options.json, options.csv)
    if options.out:
        pillow()
    tell_optimized(options)
    model = chosen_model(options)
    names = class_names_of(model)
    predictions, failures = [], []
    for number, path in enumerate(videos, 1):
        drawn = drawn_path(options.out, source, path)
        try:
            found = predict(options, model, names, path, drawn, len(videos) - number)
        except data.DecodeError as error:
            failures.append(error)
            continue
        predictions.append(found)
        show(found)
    if options.json:
        write_json(options.json, predictions)
    if options.csv:
        write_csv(options.csv, predictions)
    for error in failures:
        logging.error("%s", error)
    return len(failures) and f"{len(failures)} of {len(videos)} videos could not be read."


def run_in_shards(options, arguments, engine):
    """Writes the scores of a list, or of videos and folders, to shards."""
    single = ("window", "stride", "smoothing", "top", "json", "csv")
    refuse_flags(options, single, "with --engine")
    if options.out is None:
        raise ValueError("--out=None: expected a folder for the scores, as there is --engine.")
    videos = listed_videos(arguments, root=options.data_root)
    tell_optimized(options)
    summary = inference.predict_shards(
        chosen_model(options),
        videos,
        options.out,
        engine=engine,
        shard_size=options.shard_size,
        file_format=options.format,
        optimize=options.optimize,
    )
    return report_shards(summary, options.out, "Scores")


def predict(options, model, names, path, drawn, videos_to_come):
    """The prediction of one video; draws it where `drawn` names a file."""

    def best(scores):
        return decode_predictions(scores, options.top, class_names=names)

    if drawn is None and options.window is None and options.stride is None:
        scores = inference.predict_video(
            model, path, optimize=options.optimize, videos_to_come=videos_to_come
        )
        return prediction(path, best(both_classes(scores)))
    windows = inference.predict_windows(
        model,
        path,
        window=options.window,
        stride=options.stride,
        optimize=options.optimize,
        verbose=1,
    ).smoothed(options.smoothing)
    windows = dataclasses.replace(windows, scores=both_classes(windows.scores))
    if drawn is not None:
        inference.draw_scores(drawn, path, windows, names, options.top)
    return prediction(path, best(windows.mean()), windows, best)


def drawn_path(out, source, path):
    """Where the video with the scores goes, or `None`."""
    if out is None or source.is_file():
        return out
    place = Path(out) / path.relative_to(source)
    return place if place.suffix == ".mp4" else place.with_name(f"{place.name}.mp4")


def show(found):
    """Prints a prediction."""
    print(f"{printable(found['video'])}:")
    for entry in found["top"]:
        print(f"  {entry['score']:.4f}  {printable(entry['name'])}")
    if len(found.get("windows", ())) > 1:
        for window in found["windows"]:
            entry = window["top"][0]
            span = f"{window['start']:8.2f} - {window['end']:8.2f} s"
            print(f"  {span}  {entry['score']:.4f}  {printable(entry['name'])}")
