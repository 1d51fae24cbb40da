r"""The best classes of a video, or of every video in a folder.

A whole video under the test protocol of the model's row:

    keras-video predict clip.mp4 --row tsn_r50_1x1x8_100e_kinetics400_rgb

A long video by a window that slides over it, with the scores drawn under the frames:

    keras-video predict clip.mp4 --model work_dirs/tsn/model.keras --out scores.mp4 \
        --window 3 --stride 1 --smoothing 0.5

With `--window`, `--stride` or `--out` the model sees one view of every window, and a video's scores
are the mean over its windows. Frames are decoded one at a time: a video may be hours long. For a
folder `--out` is a folder.

A video of any length through a causal network, every frame once:

    keras-video predict clip.mp4 --row movinet_a0_stream --stream --every 2 --csv scores.csv

With `--stream` the scores of all frames so far are shown and written as they come, every second or
as `--every` says; the last are those of the whole video, as of one clip of all its frames. With
`--averaged_frames` they are of so many frames, and a video's scores are the mean over these spans.

A list of any length, on several processes, with all scores in files of 500 videos each:

    keras-video predict list.txt --data_root videos --engine ray --workers 8 --out scores \
        --row tsn_r50_1x1x8_100e_kinetics400_rgb

Paths of videos, lists and `--out` may then be addresses such as s3://bucket/folder. A run that was
stopped goes on when the same command is given again.
"""

import contextlib
import dataclasses
from pathlib import Path

import numpy as np
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
from keras_video.cli.streaming import streaming_model
from keras_video.data.annotations.records import printable
from keras_video.inference.drawing import pillow
from keras_video.inference.predictions import (
    CsvFile,
    check_writable,
    prediction,
    write_csv,
    write_json,
)
from keras_video.inference.sliding_window import WindowScores
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
    flags.group("Stream")
    flags.switch("stream", False, "frame by frame through a causal network, which keeps its state")
    flags.number("every", 1.0, "seconds between scores", 0)
    flags.number(
        "rate", None, "frames a second the model is shown at most; as in its clips if not given", 0
    )
    flags.integer(
        "averaged_frames", None, "latest frames whose mean is classified; all if not given", 1
    )
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
    check_stream_flags(options)
    check_writable(options.out, options.json, options.csv)
    if options.out:
        pillow()
    if options.stream:
        model = streaming_model(options, required=True)
    else:
        tell_optimized(options)
        model = chosen_model(options)
    names = class_names_of(model)
    predictions, failures = [], []
    with contextlib.ExitStack() as stack:
        lines = None
        if options.stream and options.csv:
            lines = stack.enter_context(CsvFile(options.csv))
        for number, path in enumerate(videos, 1):
            drawn = drawn_path(options.out, source, path)
            try:
                if options.stream:
                    found = predict_stream(options, model, names, path, drawn, lines)
                else:
                    found = predict(options, model, names, path, drawn, len(videos) - number)
            except data.DecodeError as error:
                failures.append(error)
                continue
            predictions.append(found)
            show(found, windows=not options.stream)
    if options.json:
        write_json(options.json, predictions)
    if options.csv and not options.stream:
        write_csv(options.csv, predictions)
    for error in failures:
        logging.error("%s", error)
    return len(failures) and f"{len(failures)} of {len(videos)} videos could not be read."


# What only one way of reading a video takes.
_OF_WINDOWS = ("window", "stride", "smoothing", "optimize")
_OF_STREAMS = ("every", "rate", "averaged_frames")


def check_stream_flags(options):
    """Raises a ValueError for flags without effect beside `--stream`, or without it."""
    if options.stream:
        refuse_flags(options, _OF_WINDOWS, "with --stream")
    else:
        refuse_flags(options, _OF_STREAMS, "without --stream")


def run_in_shards(options, arguments, engine):
    """Writes the scores of a list, or of videos and folders, to shards."""
    single = ("window", "stride", "smoothing", "stream", *_OF_STREAMS, "top", "json", "csv")
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


def predict_stream(options, model, names, path, drawn, lines):
    """The prediction of one video frame by frame; what is known is shown and written at once."""

    def best(scores):
        return decode_predictions(scores, options.top, class_names=names)

    found = []
    print(f"{printable(str(path))}:", flush=True)
    for each in inference.stream_video(
        model, path, every=options.every, rate=options.rate, window=options.averaged_frames
    ):
        found.append(dataclasses.replace(each, scores=both_classes(each.scores)))
        part = prediction(path, best(found[-1].scores), spans(found[-1:]), best)
        if lines is not None:
            lines.add(part)
        show_window(part["windows"][0])
    windows = spans(found)
    scores = found[-1].scores if options.averaged_frames is None else windows.mean()
    if drawn is not None:
        ends = windows.ends  # a frame shows what is known soon after it
        shown = dataclasses.replace(windows, starts=np.concatenate([[0.0], ends[:-1]]))
        inference.draw_scores(drawn, path, shown, names, options.top)
    return prediction(path, best(scores), windows, best)


def spans(found):
    """A list of `StreamScores` as `WindowScores`."""
    return WindowScores(
        np.array([each.start for each in found]),
        np.array([each.end for each in found]),
        np.stack([each.scores for each in found]),
    )


def drawn_path(out, source, path):
    """Where the video with the scores goes, or `None`."""
    if out is None or source.is_file():
        return out
    place = Path(out) / path.relative_to(source)
    return place if place.suffix == ".mp4" else place.with_name(f"{place.name}.mp4")


def show(found, windows=True):
    """Prints a prediction; without its windows where they have been shown."""
    print(f"{printable(found['video'])}:")
    for entry in found["top"]:
        print(f"  {entry['score']:.4f}  {printable(entry['name'])}")
    if windows and len(found.get("windows", ())) > 1:
        for window in found["windows"]:
            show_window(window)


def show_window(window):
    """Prints the best class of a span of a video."""
    entry = window["top"][0]
    span = f"{window['start']:8.2f} - {window['end']:8.2f} s"
    print(f"  {span}  {entry['score']:.4f}  {printable(entry['name'])}", flush=True)
