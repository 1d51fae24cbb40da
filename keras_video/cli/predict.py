r"""Classifies a video, or every video in a folder.

A whole video under the test protocol of the model's row:

    keras-video predict clip.mp4 --row tsn_r50_1x1x8_100e_kinetics400_rgb

A long video with a sliding window, with the scores drawn below the frames:

    keras-video predict clip.mp4 --model work_dirs/tsn/model.keras --out scores.mp4 \
        --window 3 --stride 1 --smoothing 0.5

With `--window`, `--stride` or `--out`, the model receives one view per window, and a video's scores
are the mean over its windows. Frames are decoded one at a time, so videos may be hours long. For a
folder of videos, `--out` is a folder.

A video of any length with a causal model, which processes each frame once:

    keras-video predict clip.mp4 --row movinet_a0_stream --stream --every 2 --csv scores.csv

With `--stream`, the scores of all frames so far are shown and written as they become available,
every second or every `--every` seconds; the last ones are those of the whole video, as if it were
one clip. With `--averaged_frames`, scores cover only that number of latest frames, and a video's
scores are the mean over these spans.

A list of any length, in several processes, with all scores written to files of 500 videos each:

    keras-video predict list.txt --data_root videos --engine ray --workers 8 --out scores \
        --row tsn_r50_1x1x8_100e_kinetics400_rgb

Videos, lists and `--out` may then be URLs such as s3://bucket/folder. Repeat the command to resume
an interrupted run.
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
    reject_flags,
    report_shards,
)
from keras_video.cli.models import (
    chosen_model,
    define_model_flags,
    define_optimize_flag,
    log_optimization,
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
    flags.string("data_root", None, "with --engine: folder that the listed paths are relative to")
    flags.group("Windows")
    flags.number(
        "window", None, "window length in seconds; 2, or the model's clip length, if not given", 0
    )
    flags.number("stride", None, "seconds between windows; half a window if not given", 0)
    flags.number("smoothing", 0.0, "weight of the preceding windows in a score", 0, 0.99)
    flags.group("Stream")
    flags.switch("stream", False, "run a causal model frame by frame, keeping its state")
    flags.number("every", 1.0, "seconds between scores", 0)
    flags.number(
        "rate", None, "maximum frame rate of the model's input; as in its clips if not given", 0
    )
    flags.integer(
        "averaged_frames", None, "number of latest frames to average over; all if not given", 1
    )
    flags.group("Output")
    flags.integer("top", 5, "number of classes to report", 1)
    text = "video to write, with scores drawn; a folder for a folder of videos and with --engine"
    flags.string("out", None, text)
    flags.string("json", None, "file to write the predictions to")
    flags.string("csv", None, "file to write the predictions to, a line per class")
    define_engine_flags(flags)
    define_shard_flags(flags)


def run(options, arguments):
    engine = engine_of(options)
    if engine is not None:
        return run_in_shards(options, arguments, engine)
    reject_flags(options, ("data_root",), "without --engine")
    if len(arguments) != 1:
        raise ValueError(f"received {arguments}, expected one video or folder.")
    source = Path(arguments[0])
    videos = data.video_files(source)
    if not videos:
        raise ValueError(f"received {source}, which contains no videos.")
    check_stream_flags(options)
    check_writable(options.out, options.json, options.csv)
    if options.out:
        pillow()
    if options.stream:
        model = streaming_model(options, required=True)
    else:
        log_optimization(options)
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
                    result = predict_stream(options, model, names, path, drawn, lines)
                else:
                    result = predict(options, model, names, path, drawn, len(videos) - number)
            except data.DecodeError as error:
                failures.append(error)
                continue
            predictions.append(result)
            show(result, windows=not options.stream)
    if options.json:
        write_json(options.json, predictions)
    if options.csv and not options.stream:
        write_csv(options.csv, predictions)
    for error in failures:
        logging.error("%s", error)
    return len(failures) and f"{len(failures)} of {len(videos)} videos could not be read."


# Flags that apply only to sliding windows, and only to streams.
_OF_WINDOWS = ("window", "stride", "smoothing", "optimize")
_OF_STREAMS = ("every", "rate", "averaged_frames")


def check_stream_flags(options):
    """Raises a ValueError for flags that have no effect with, or without, `--stream`."""
    if options.stream:
        reject_flags(options, _OF_WINDOWS, "with --stream")
    else:
        reject_flags(options, _OF_STREAMS, "without --stream")


def run_in_shards(options, arguments, engine):
    """Writes the scores of a list, or of videos and folders, to shards."""
    single = ("window", "stride", "smoothing", "stream", *_OF_STREAMS, "top", "json", "csv")
    reject_flags(options, single, "with --engine")
    if options.out is None:
        raise ValueError("--out=None: expected a folder for the scores, as --engine is given.")
    videos = listed_videos(arguments, root=options.data_root)
    log_optimization(options)
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
    """The prediction for one video; also draws it if `drawn` is a path."""

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
    """Predicts a video frame by frame; shows and writes scores as they become available."""

    def best(scores):
        return decode_predictions(scores, options.top, class_names=names)

    spans = []
    print(f"{printable(str(path))}:", flush=True)
    for span in inference.stream_video(
        model, path, every=options.every, rate=options.rate, window=options.averaged_frames
    ):
        spans.append(dataclasses.replace(span, scores=both_classes(span.scores)))
        part = prediction(path, best(spans[-1].scores), window_scores(spans[-1:]), best)
        if lines is not None:
            lines.add(part)
        show_window(part["windows"][0])
    windows = window_scores(spans)
    scores = spans[-1].scores if options.averaged_frames is None else windows.mean()
    if drawn is not None:
        ends = windows.ends  # a frame shows the scores computed soon after it
        shown = dataclasses.replace(windows, starts=np.concatenate([[0.0], ends[:-1]]))
        inference.draw_scores(drawn, path, shown, names, options.top)
    return prediction(path, best(scores), windows, best)


def window_scores(spans):
    """Converts a list of `StreamScores` to `WindowScores`."""
    return WindowScores(
        np.array([span.start for span in spans]),
        np.array([span.end for span in spans]),
        np.stack([span.scores for span in spans]),
    )


def drawn_path(out, source, path):
    """The path of the video with drawn scores, or `None`."""
    if out is None or source.is_file():
        return out
    target = Path(out) / path.relative_to(source)
    return target if target.suffix == ".mp4" else target.with_name(f"{target.name}.mp4")


def show(result, windows=True):
    """Prints a prediction, with its windows if `windows`."""
    print(f"{printable(result['video'])}:")
    for entry in result["top"]:
        print(f"  {entry['score']:.4f}  {printable(entry['name'])}")
    if windows and len(result.get("windows", ())) > 1:
        for window in result["windows"]:
            show_window(window)


def show_window(window):
    """Prints the top class of a span of a video."""
    entry = window["top"][0]
    span = f"{window['start']:8.2f} - {window['end']:8.2f} s"
    print(f"  {span}  {entry['score']:.4f}  {printable(entry['name'])}", flush=True)
