"""Classifies a camera, a stream or a video file live.

    keras-video webcam                          # the first camera, shown in a browser
    keras-video webcam --camera rtsp://... --row movinet_a2_stream
    keras-video webcam --camera 1 --model work_dirs/tsm/model.keras
    keras-video webcam --camera clip.mp4 --headless --seconds 10

The default model is the streaming MoViNet-A0 (arXiv:2103.11511) with its published weights: each
frame passes through the network once, and the state that later frames need is buffered. TSM rows
run in their online form (arXiv:1811.08383), for which no weights are published: the weights of the
row were trained with access to the next frame, so accuracy is below the published value. For a TSM
trained with `online=True`, use `--model`. Clip models run on the latest frames.

Frames that arrive while the model is busy are dropped, so that the display stays live. `--headless`
prints the scores without video.
"""

import contextlib
import math
import sys
import time
import webbrowser

import numpy as np

from keras_video import data, inference
from keras_video.cli.models import define_model_flags, define_optimize_flag, log_optimization
from keras_video.cli.streaming import streaming_model
from keras_video.inference.streamed_video import stream_rate
from keras_video.inference.two_classes import both_classes, class_names_of
from keras_video.inference.video import protocol_of

INTERRUPTED = ""


def define(flags):
    define_model_flags(flags, row="movinet_a0_stream")
    define_optimize_flag(flags)
    flags.group("Camera")
    flags.string("camera", "0", "camera index, device, URL or video file")
    flags.number(
        "rate",
        None,
        "maximum frame rate of the model's input; that of its training if not given; 0 for all "
        "frames",
        0,
    )
    flags.integer("waiting", 2, "maximum number of frames queued for the model", 1)
    flags.number("seconds", None, "how long to run; to the end of the source if not given", 0)
    flags.group("Scores")
    flags.integer(
        "averaged_frames", 16, "number of latest frames that a causal model averages over", 1
    )
    flags.integer("top", 3, "number of classes to show", 1)
    flags.switch("headless", False, "print scores, show no video")
    flags.integer("port", 8000, "port of the page that shows the video", 0, 65535)


def run(options, _):
    data.check_live_source(options.camera)
    log_optimization(options)
    model = streaming_model(options)
    names = class_names_of(model)
    rate = stream_rate(protocol_of(model)) if options.rate is None else options.rate
    live = inference.LiveModel(
        model,
        window=options.averaged_frames,
        optimize=options.optimize,
        frames_to_come=(options.seconds or math.inf) * (rate or 30),
    )
    with contextlib.ExitStack() as stack:
        show = print_scores if options.headless else browser(stack, options.port)
        source = data.live_frames(options.camera)
        frames = stack.enter_context(data.LatestFrames(source, options.waiting))
        start, latencies = time.monotonic(), []
        try:
            for result in inference.live_scores(live, frames, rate=rate or None):
                latencies.append(result.latency)
                show(result, best(result.scores, names, options.top))
                if options.seconds and time.monotonic() - start >= options.seconds:
                    break
        finally:
            # Ctrl-C is the usual way to stop a camera; print the summary even then.
            if latencies:
                print(summary(latencies, time.monotonic() - start, frames.dropped), flush=True)
    if not latencies:
        raise ValueError(f"--camera={options.camera} returned no frames.")


def summary(latencies, seconds, dropped):
    """A one-line summary of the session."""
    return (
        f"\n{len(latencies)} frames in {seconds:.1f} s ({len(latencies) / seconds:.1f} fps), "
        f"{dropped} dropped; latency {1000 * np.median(latencies):.0f} ms, "
        f"at most {1000 * max(latencies):.0f} ms"
    )


def best(scores, names, top):
    """`[(name, score), ...]` of the top classes."""
    scores = both_classes(scores)
    order = np.argsort(-scores, kind="stable")[:top]
    return [(names[index], float(scores[index])) for index in order]


def caption(result):
    return f"{result.rate:.1f} fps, latency {1000 * result.latency:.0f} ms"


def print_scores(result, entries):
    text = ", ".join(f"{name} {score:.2f}" for name, score in entries)
    end = "\r" if sys.stdout.isatty() else "\n"
    print(f"{caption(result)}: {text}", end=end, flush=True)


def browser(stack, port):
    """Opens a page and returns a function that shows frames and scores on it."""
    from keras_video.inference.browser import BrowserWindow
    from keras_video.inference.drawing import draw_live

    window = stack.enter_context(BrowserWindow(port))
    print(f"Showing the source at {window.address}; press Ctrl-C to stop.")
    webbrowser.open(window.address)

    def show(result, entries):
        window.show(draw_live(result.image, entries, caption(result)))

    return show
