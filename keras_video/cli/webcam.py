"""What a model sees in a camera, a stream or a file, as it comes.

    keras-video webcam                          # the first camera, shown in a browser
    keras-video webcam --camera rtsp://... --row movinet_a2_stream
    keras-video webcam --camera 1 --model work_dirs/tsm/model.keras
    keras-video webcam --camera clip.mp4 --headless --seconds 10

The default model is MoViNet-A0 in its stream form (arXiv:2103.11511) with its published weights:
every frame goes through the network once, and what later frames need of it is kept. A row of TSM is
run in its online form (arXiv:1811.08383), for which no weights are published: those of the row were
trained to see the next frame as well, and the scores are rougher than its accuracy says. A TSM
trained with `online=True` is given by `--model`. Models of clips are run on their latest frames.

Frames that come while the model is busy are dropped, so that what is shown is now. `--headless`
prints the scores without a picture.
"""

import contextlib
import math
import sys
import time
import webbrowser

import numpy as np

from keras_video import data, inference
from keras_video.cli.models import define_model_flags, define_optimize_flag, tell_optimized
from keras_video.cli.streaming import streaming_model
from keras_video.inference.streamed_video import stream_rate
from keras_video.inference.two_classes import both_classes, class_names_of
from keras_video.inference.video import protocol_of

INTERRUPTED = ""


def define(flags):
    define_model_flags(flags, row="movinet_a0_stream")
    define_optimize_flag(flags)
    flags.group("Camera")
    flags.string("camera", "0", "number of a camera, device, address or video file")
    flags.number(
        "rate",
        None,
        "frames a second the model is shown at most, as far apart as in its training if not "
        "given; 0 shows all",
        0,
    )
    flags.integer("waiting", 2, "frames that may wait for the model", 1)
    flags.number("seconds", None, "how long to run; until the source ends if not given", 0)
    flags.group("Scores")
    flags.integer("averaged_frames", 16, "frames whose mean a causal model classifies", 1)
    flags.integer("top", 3, "classes to show", 1)
    flags.switch("headless", False, "print scores, show no picture")
    flags.integer("port", 8000, "of the page that shows the picture", 0, 65535)


def run(options, _):
    data.check_live_source(options.camera)
    tell_optimized(options)
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
            for found in inference.live_scores(live, frames, rate=rate or None):
                latencies.append(found.latency)
                show(found, best(found.scores, names, options.top))
                if options.seconds and time.monotonic() - start >= options.seconds:
                    break
        finally:
            # Ctrl-C is how a camera is left: the summary comes all the same.
            if latencies:
                print(summary(latencies, time.monotonic() - start, frames.dropped), flush=True)
    if not latencies:
        raise ValueError(f"--camera={options.camera} gave no frame.")


def summary(latencies, seconds, dropped):
    """What a session came to, in a line."""
    return (
        f"\n{len(latencies)} frames in {seconds:.1f} s ({len(latencies) / seconds:.1f} a second), "
        f"{dropped} dropped; latency {1000 * np.median(latencies):.0f} ms, "
        f"at most {1000 * max(latencies):.0f} ms"
    )


def best(scores, names, top):
    """`[(name, score), ...]` of the best classes."""
    scores = both_classes(scores)
    order = np.argsort(-scores, kind="stable")[:top]
    return [(names[index], float(scores[index])) for index in order]


def caption(found):
    return f"{found.rate:.1f} frames a second, latency {1000 * found.latency:.0f} ms"


def print_scores(found, entries):
    text = ", ".join(f"{name} {score:.2f}" for name, score in entries)
    end = "\r" if sys.stdout.isatty() else "\n"
    print(f"{caption(found)}: {text}", end=end, flush=True)


def browser(stack, port):
    """Opens a page and returns the function that shows scores there."""
    from keras_video.inference.browser import BrowserWindow
    from keras_video.inference.drawing import draw_live

    window = stack.enter_context(BrowserWindow(port))
    print(f"Showing the source at {window.address}; Ctrl-C ends.")
    webbrowser.open(window.address)

    def show(found, entries):
        window.show(draw_live(found.image, entries, caption(found)))

    return show
