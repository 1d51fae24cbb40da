r"""Temporal action localization in long videos, from sliding-window scores.

    keras-video spans match.mp4 --model work_dirs/tsn/model.keras --out spans.csv

Threshold, merge gap and minimum length are best fitted on annotated videos and saved:

    keras-video spans --fit val.csv --data_root videos --model model.keras --settings fitted.json
    keras-video spans match.mp4 --model model.keras --settings fitted.json --out spans.srt

With `--detector`, spans come from an `ActionFormer` trained on features of the model's windows, of
the same length and stride; `--threshold` is then the minimum score of a span.

The extension of `--out` selects the format: csv, json (ActivityNet's), srt or vtt (subtitles), otio
(for video editors). For several videos it must be csv or json. Annotations may be in any format
that `data.read_spans` reads; with `--truth`, the average precision is printed.
"""

from absl import logging

from keras_video import data, inference, training
from keras_video.cli.models import chosen_model, define_model_flags
from keras_video.data.annotations.records import printable
from keras_video.data.decoding.sequential import frame_rate
from keras_video.data.spans.reading import SPAN_FORMATS
from keras_video.inference.drawing import pillow
from keras_video.inference.predictions import check_writable
from keras_video.inference.span_files import file_kind
from keras_video.inference.two_classes import both_classes, class_names_of
from keras_video.weights.keras_files import load_model

TAKES_ARGUMENTS = True
_SINGLE = ("srt", "vtt", "otio")


def define(flags):
    define_model_flags(flags)
    flags.string("detector", None, "a .keras file of an ActionFormer that runs on window features")
    flags.group("Windows")
    flags.number(
        "window", None, "window length in seconds; 2, or the model's clip length, if not given", 0
    )
    flags.number("stride", None, "seconds between windows; half a window if not given", 0)
    flags.number("smoothing", 0.0, "weight of the preceding windows in a score", 0, 0.99)
    flags.group("Spans")
    flags.number("threshold", None, "minimum score; 0.5 if not given, 0.2 with --detector")
    flags.number("merge_gap", None, "largest gap to close between spans of a class, in seconds", 0)
    flags.number("min_length", None, "minimum length of a span, in seconds", 0)
    flags.switch(
        "per_class",
        True,
        "detect each class separately, so that spans of different classes may overlap",
    )
    flags.words("background", "", "classes to ignore, such as background")
    flags.string("settings", None, "file of fitted settings; with --fit, the file to write")
    flags.group("Annotations")
    flags.string("fit", None, "annotation file of the videos to fit the settings on")
    flags.choice("metric", "map", ["map", "f1"], "metric that --fit maximizes")
    flags.string("truth", None, "annotation file of the videos, for evaluation")
    flags.string("data_root", None, "folder that video paths in annotation files are relative to")
    flags.choice("annotation_format", None, list(SPAN_FORMATS), "format of annotation files")
    flags.number("fps", None, "frame rate of the videos, for annotations in frames", 0)
    flags.group("Output")
    flags.string("out", None, "file for the spans: .csv, .json, .srt, .vtt or .otio")
    flags.string("draw", None, "video to write, with the spans drawn below the frames")
    flags.string("timeline", None, "plot of the spans to write, such as timeline.png")


def run(options, arguments):
    check(options, arguments)
    if options.draw or options.timeline:
        pillow()
    check_writable(options.out, options.draw, options.timeline, options.settings)
    if options.fit:
        return fit(options)
    truth = None if options.truth is None else read(options, options.truth)
    settings = None if options.detector else chosen_settings(options)
    videos = [] if truth is None or arguments else [record.video for record in truth]
    for argument in arguments:
        paths = data.video_files(argument)
        if not paths:
            raise ValueError(f"received {argument}, which contains no videos.")
        videos += [str(path) for path in paths]
    check_single(options, videos)
    model = chosen_model(options)
    names = class_names_of(model)
    detector = load_model(options.detector) if options.detector else None
    records, failures = [], []
    for path in videos:
        try:
            if detector is None:
                records.append(find(options, model, names, settings, path))
            else:
                records.append(detect(options, model, detector, path))
        except data.DecodeError as error:
            failures.append(error)
            continue
        show(records[-1])
    write(options, records, truth)
    for error in failures:
        logging.error("%s", error)
    return len(failures) and f"{len(failures)} of {len(videos)} videos could not be read."


def check(options, arguments):
    """Rejects flags that contradict each other or have no effect.

    Raises:
        ValueError: naming the flags.
    """
    if options.fit and (arguments or options.truth or options.out or not options.settings):
        raise ValueError(
            f"--fit={options.fit}: received {arguments or ''} --truth={options.truth} "
            f"--out={options.out} --settings={options.settings}, expected --settings=FILE to write "
            "and no videos."
        )
    if not options.fit and not arguments and not options.truth:
        raise ValueError("received no videos, expected some, --truth=FILE or --fit=FILE.")
    if not options.fit and "metric" in options.given:
        raise ValueError(f"--metric={options.metric} requires --fit.")
    fitted = [name for name in ("threshold", "merge_gap", "min_length") if name in options.given]
    fitted += [] if options.fit or "per_class" not in options.given else ["per_class"]
    if options.settings and fitted:
        raise ValueError(
            f"--settings={options.settings} and --{fitted[0]}: expected only one of them."
        )
    unused = ("fit", "settings", "merge_gap", "min_length", "background", "smoothing", "per_class")
    unused = [name for name in unused if name in options.given]
    if options.detector and unused:
        raise ValueError(
            f"--detector={options.detector} and --{unused[0]}: expected only one of them."
        )
    unused = [name for name in ("data_root", "annotation_format", "fps") if name in options.given]
    if not options.fit and not options.truth and unused:
        raise ValueError(f"--{unused[0]} requires --fit or --truth.")
    if options.out:
        file_kind(options.out)


def check_single(options, videos):
    """Rejects output files that hold a single video if there are several.

    Raises:
        ValueError: naming the flag.
    """
    single = [name for name in ("draw", "timeline") if getattr(options, name)]
    single += ["out"] if options.out and file_kind(options.out) in _SINGLE else []
    if len(videos) != 1 and single:
        name = single[0]
        raise ValueError(
            f"--{name}={getattr(options, name)} holds a single video, received {len(videos)} "
            "videos: expected one, or --out=spans.csv."
        )


def read(options, file):
    """The records of an annotation file."""
    return data.read_spans(
        file, options.data_root, annotation_format=options.annotation_format, fps=options.fps
    )


def fit(options):
    """Fits the settings on annotated videos and saves them."""
    truth = read(options, options.fit)
    model = chosen_model(options)
    names = class_names_of(model)
    unknown = {name for record in truth for name in record.classes} - set(names)
    if unknown:
        raise ValueError(
            f"{options.fit}: received the class {sorted(unknown)[0]!r}, expected classes of the "
            f"model: {', '.join(names)}"
        )
    windows = {record.video: scores_of(options, model, record.video) for record in truth}
    settings = training.fit_span_settings(
        windows,
        truth,
        names,
        per_class=options.per_class,
        metric=options.metric,
        background=unfitted(options, names, truth),
        verbose=1,
    )
    settings.save(options.settings)
    records = [
        span_record(record.video, windows[record.video], names, settings, options)
        for record in truth
    ]
    print(f"{options.settings}: {settings}")
    show_precision(records, truth)


def unfitted(options, names, truth):
    """Classes that no settings are fitted for: background, and those without annotated spans."""
    used = {span.label for record in truth for span in record.spans}
    return [name for name in names if name in background(options) or name not in used]


def background(options):
    """The names of `--background`."""
    return [name for name in options.background if name]


def chosen_settings(options):
    """The settings of the `--settings` file, or of the flags."""
    if options.settings:
        return inference.SpanSettings.load(options.settings)
    given = {name: getattr(options, name) for name in ("threshold", "merge_gap", "min_length")}
    given = {name: value for name, value in given.items() if value is not None}
    return inference.SpanSettings(**given, per_class=options.per_class)


def scores_of(options, model, path):
    """The scores of a video's windows, one column per class."""
    windows = inference.predict_windows(
        model, path, window=options.window, stride=options.stride, verbose=1
    ).smoothed(options.smoothing)
    return inference.WindowScores(windows.starts, windows.ends, both_classes(windows.scores))


def find(options, model, names, settings, path):
    """The spans of a video, as a record."""
    return span_record(path, scores_of(options, model, path), names, settings, options)


def detect(options, model, detector, path):
    """The spans that a detector finds in a video, as a record."""
    features = inference.window_features(
        model, path, window=options.window, stride=options.stride, verbose=1
    )
    min_score = 0.2 if options.threshold is None else options.threshold
    spans = inference.detect_spans(detector, features, min_score=min_score)
    classes = detector.class_names or sorted({span.label for span in spans})
    spans.sort(key=lambda span: (span.start, span.end))
    return data.SpanRecord(str(path), tuple(spans), tuple(classes), features.duration)


def span_record(path, windows, names, settings, options):
    """The spans in window scores, as a record."""
    spans = inference.spans(
        windows,
        settings.threshold,
        settings.merge_gap,
        settings.min_length,
        settings.per_class,
        class_names=names,
        background=background(options),
    )
    classes = tuple(name for name in names if name not in background(options))
    return data.SpanRecord(str(path), tuple(spans), classes, float(windows.ends[-1]))


def write(options, records, truth):
    """Writes and prints the requested results."""
    if options.out and records:
        rate = frame_rate(records[0].video) if file_kind(options.out) == "otio" else None
        inference.write_span_file(options.out, records, fps=rate)
    if options.draw and records:
        inference.draw_spans(options.draw, records[0].video, records[0].spans, records[0].classes)
    if options.timeline and records:
        video = records[0].video
        true = [span for record in truth or () if record.video == video for span in record.spans]
        inference.draw_span_timeline(options.timeline, records[0], true)
    if truth is not None:
        read_videos = {record.video for record in records}
        show_precision(records, [record for record in truth if record.video in read_videos])


def show_precision(records, truth):
    """Prints the mAP and segmental F1 of spans."""
    precision = training.span_mean_average_precision(records, truth)
    f1 = training.segment_f1(records, truth)
    print(f"average mAP {precision.average:.4f} at temporal IoUs 0.3 to 0.95")
    print("  ".join(f"mAP@{iou} {precision.at(iou):.4f}" for iou in (0.3, 0.5, 0.7, 0.95)))
    print("  ".join(f"F1@{round(100 * overlap)} {value:.4f}" for overlap, value in f1.items()))


def show(record):
    """Prints the spans of a video."""
    print(f"{printable(record.video)}: {len(record.spans)} spans")
    for span in record.spans:
        print(f"  {span.start:8.2f} - {span.end:8.2f} s  {span.score:.4f}  {printable(span.label)}")
