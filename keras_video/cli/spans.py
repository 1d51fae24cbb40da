r"""When what happens in long videos: spans of time from the scores of a window.

    keras-video spans match.mp4 --model work_dirs/tsn/model.keras --out spans.csv

Threshold, gaps and lengths are best found on videos with annotations, once, and kept:

    keras-video spans --fit val.csv --data_root videos --model model.keras --settings fitted.json
    keras-video spans match.mp4 --model model.keras --settings fitted.json --out spans.srt

With `--detector` spans are those of an `ActionFormer` that was trained on features of the model's
windows, of the same length and stride; `--threshold` is then the least score of a span.

The ending of `--out` says the format: csv, json (ActivityNet's), srt or vtt (subtitles), otio (for
video editors). For a folder of videos it is csv or json. Annotations may be of any format that
`data.read_spans` reads; with `--truth` the average precision is printed.
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
    flags.string("detector", None, "a .keras file of an ActionFormer, on features of the windows")
    flags.group("Windows")
    flags.number("window", None, "seconds of a window; 2 or the model's clip if not given", 0)
    flags.number("stride", None, "seconds between windows; half a window if not given", 0)
    flags.number("smoothing", 0.0, "share of the windows before in a score", 0, 0.99)
    flags.group("Spans")
    flags.number("threshold", None, "least score; 0.5 if not given, 0.2 of --detector")
    flags.number("merge_gap", None, "seconds; gaps up to this long are closed", 0)
    flags.number("min_length", None, "seconds; shorter spans are left out", 0)
    flags.switch("per_class", True, "spans of several classes may overlap")
    flags.words("background", "", "classes that are no spans, such as background")
    flags.string("settings", None, "file of fitted settings; with --fit, the file to write")
    flags.group("Annotations")
    flags.string("fit", None, "annotation file of videos to fit the settings on")
    flags.choice("metric", "map", ["map", "f1"], "what --fit makes best")
    flags.string("truth", None, "annotation file of the videos, to evaluate with")
    flags.string("data_root", None, "folder that the videos of annotation files are in")
    flags.choice("annotation_format", None, list(SPAN_FORMATS), "of annotation files")
    flags.number("fps", None, "of the videos, for annotations that count frames", 0)
    flags.group("Output")
    flags.string("out", None, "file of the spans: .csv, .json, .srt, .vtt or .otio")
    flags.string("draw", None, "video to write, with the chapters below")
    flags.string("timeline", None, "picture of the spans to write, such as timeline.png")


def run(options, arguments):
    check(options, arguments)
    if options.draw or options.timeline:
        pillow()
    check_writable(options.out, options.draw, options.timeline, options.settings)
    if options.fit:
        return fit(options)
    truth = None if options.truth is None else read(options, options.truth)
    settings = None if options.detector else chosen_settings(options)
    videos = [] if truth is None or arguments else [one.video for one in truth]
    for argument in arguments:
        found = data.video_files(argument)
        if not found:
            raise ValueError(f"received {argument}, which has no videos.")
        videos += [str(path) for path in found]
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
    """Refuses flags that contradict each other or have no effect.

    Raises:
        ValueError: naming them.
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
        raise ValueError(f"--metric={options.metric} is for --fit alone.")
    fitted = [name for name in ("threshold", "merge_gap", "min_length") if name in options.given]
    fitted += [] if options.fit or "per_class" not in options.given else ["per_class"]
    if options.settings and fitted:
        raise ValueError(f"--settings={options.settings} and --{fitted[0]}: give one of them.")
    unused = ("fit", "settings", "merge_gap", "min_length", "background", "smoothing", "per_class")
    unused = [name for name in unused if name in options.given]
    if options.detector and unused:
        raise ValueError(f"--detector={options.detector} and --{unused[0]}: give one of them.")
    without = [name for name in ("data_root", "annotation_format", "fps") if name in options.given]
    if not options.fit and not options.truth and without:
        raise ValueError(f"--{without[0]} is for the files of --fit and --truth.")
    if options.out:
        file_kind(options.out)


def check_single(options, videos):
    """Refuses several videos for files that are of one.

    Raises:
        ValueError: naming the flag.
    """
    of_one = [name for name in ("draw", "timeline") if getattr(options, name)]
    of_one += ["out"] if options.out and file_kind(options.out) in _SINGLE else []
    if len(videos) != 1 and of_one:
        name = of_one[0]
        raise ValueError(
            f"--{name}={getattr(options, name)} is of one video, received {len(videos)}: expected "
            "one, or --out=spans.csv."
        )


def read(options, file):
    """The records of an annotation file."""
    return data.read_spans(
        file, options.data_root, annotation_format=options.annotation_format, fps=options.fps
    )


def fit(options):
    """Fits the settings on annotated videos, and writes them."""
    truth = read(options, options.fit)
    model = chosen_model(options)
    names = class_names_of(model)
    unknown = {name for one in truth for name in one.classes} - set(names)
    if unknown:
        raise ValueError(
            f"{options.fit}: received the class {sorted(unknown)[0]!r}, expected classes of the "
            f"model: {', '.join(names)}"
        )
    windows = {one.video: scores_of(options, model, one.video) for one in truth}
    settings = training.fit_span_settings(
        windows,
        truth,
        names,
        per_class=options.per_class,
        metric=options.metric,
        background=unused(options, names, truth),
        verbose=1,
    )
    settings.save(options.settings)
    records = [found_in(one.video, windows[one.video], names, settings, options) for one in truth]
    print(f"{options.settings}: {settings}")
    show_precision(records, truth)


def unused(options, names, truth):
    """Columns that no settings are fitted for: background, and what the annotations do not have."""
    used = {span.label for one in truth for span in one.spans}
    return [name for name in names if name in background(options) or name not in used]


def background(options):
    """The names of `--background`."""
    return [name for name in options.background if name]


def chosen_settings(options):
    """The settings of the file, or those of the flags."""
    if options.settings:
        return inference.SpanSettings.load(options.settings)
    given = {name: getattr(options, name) for name in ("threshold", "merge_gap", "min_length")}
    given = {name: value for name, value in given.items() if value is not None}
    return inference.SpanSettings(**given, per_class=options.per_class)


def scores_of(options, model, path):
    """The scores of a video's windows, a column per class."""
    windows = inference.predict_windows(
        model, path, window=options.window, stride=options.stride, verbose=1
    ).smoothed(options.smoothing)
    return inference.WindowScores(windows.starts, windows.ends, both_classes(windows.scores))


def find(options, model, names, settings, path):
    """The spans of a video, as a record."""
    return found_in(path, scores_of(options, model, path), names, settings, options)


def detect(options, model, detector, path):
    """The spans that a detector finds in a video, as a record."""
    features = inference.window_features(
        model, path, window=options.window, stride=options.stride, verbose=1
    )
    least = 0.2 if options.threshold is None else options.threshold
    found = inference.detect_spans(detector, features, min_score=least)
    classes = detector.class_names or sorted({span.label for span in found})
    found.sort(key=lambda span: (span.start, span.end))
    return data.SpanRecord(str(path), tuple(found), tuple(classes), features.duration)


def found_in(path, windows, names, settings, options):
    """The spans of windows' scores, as a record."""
    found = inference.spans(
        windows,
        settings.threshold,
        settings.merge_gap,
        settings.min_length,
        settings.per_class,
        class_names=names,
        background=background(options),
    )
    classes = tuple(name for name in names if name not in background(options))
    return data.SpanRecord(str(path), tuple(found), classes, float(windows.ends[-1]))


def write(options, records, truth):
    """Writes and prints what was asked for."""
    if options.out and records:
        rate = frame_rate(records[0].video) if file_kind(options.out) == "otio" else None
        inference.write_span_file(options.out, records, fps=rate)
    if options.draw and records:
        inference.draw_spans(options.draw, records[0].video, records[0].spans, records[0].classes)
    if options.timeline and records:
        true = [span for one in truth or () if one.video == records[0].video for span in one.spans]
        inference.draw_span_timeline(options.timeline, records[0], true)
    if truth is not None:
        read_videos = {one.video for one in records}
        show_precision(records, [one for one in truth if one.video in read_videos])


def show_precision(records, truth):
    """Prints how good spans are."""
    found = training.span_mean_average_precision(records, truth)
    f1 = training.segment_f1(records, truth)
    print(f"average mAP {found.average:.4f} at temporal IoUs 0.3 to 0.95")
    print("  ".join(f"mAP@{iou} {found.at(iou):.4f}" for iou in (0.3, 0.5, 0.7, 0.95)))
    print("  ".join(f"F1@{round(100 * overlap)} {value:.4f}" for overlap, value in f1.items()))


def show(record):
    """Prints the spans of a video."""
    print(f"{printable(record.video)}: {len(record.spans)} spans")
    for span in record.spans:
        print(f"  {span.start:8.2f} - {span.end:8.2f} s  {span.score:.4f}  {printable(span.label)}")
