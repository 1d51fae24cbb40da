"""Measures the inference speed of a zoo row, in videos per second.

    keras-video benchmark --row tsn_r50_1x1x8_100e_kinetics400_rgb

As for published inference times, videos are processed one at a time with all views of the row's
test protocol. Only the model is timed, not reading and decoding. The variants are the plain model,
batch norms folded into the convolutions (`fold_batch_norm`), folded with constant weights
(`compile_frozen`), and each of these with bfloat16 in place of float32 (`mixed_bfloat16`); in
float32 also Winograd convolutions (`winograd_model`). Weights are random: speed does not depend on
them.
"""

import json
from pathlib import Path

import keras

from keras_video import inference, zoo
from keras_video.cli.models import row_id
from keras_video.inference.speed import measure_speed

VARIANTS = [
    "float32",
    "float32, folded",
    "float32, folded, frozen",
    "float32, folded, winograd, frozen",
    "bfloat16",
    "bfloat16, folded",
    "bfloat16, folded, frozen",
]


def define(flags):
    flags.string("row", None, "row of the zoo", required=True)
    flags.integer("view_count", None, "views per video, in place of the row's", 1)
    flags.integer(
        "max_views", None, "views per forward pass, in place of the row's; all if it has none", 1
    )
    flags.choice("variant", VARIANTS, VARIANTS, "what to measure; may be repeated", several=True)
    flags.number("seconds", 5, "minimum time to measure each variant", 0)
    flags.string("json", None, "file to write the results to")


def run(options, _):
    row = zoo.row(row_id(options.row))
    model = build(row, "float32")
    views = options.view_count or (row.views.clips * row.views.crops if row.views else 1)
    max_views = options.max_views or row.max_views
    print(f"{row.name}: {views} views of {row.test_input_shape} per video; {devices()}")
    speeds = {}
    for variant in options.variant:
        dtype, *passes = variant.split(", ")
        model = build(row, dtype)
        if "folded" in passes:
            model = inference.fold_batch_norm(model)
        if "winograd" in passes:
            model = inference.winograd_model(model)
        score = inference.compile_frozen(model) if "frozen" in passes else None
        speed = measure_speed(
            model, views, score=score, max_views=max_views, seconds=options.seconds
        )
        speeds[variant] = {**speed._asdict(), "views": views}
        print(
            f"{variant:33} {speed.videos_per_second:8.3f} videos/s "
            f"({speed.fastest:.3f} - {speed.slowest:.3f} s per video, {speed.videos} videos)",
            flush=True,
        )
    if options.json:
        Path(options.json).write_text(json.dumps({row.name: speeds}, indent=2) + "\n")


def devices():
    """The backend and, if Keras reports them, its devices."""
    backend = keras.backend.backend()
    if backend == "torch":
        return backend
    return f"{backend}, {', '.join(keras.distribution.list_devices())}"


def build(row, dtype):
    """The row's model for its test clips, computing in `dtype`."""
    keras.config.set_dtype_policy("float32" if dtype == "float32" else f"mixed_{dtype}")
    return row.model(input_shape=row.test_input_shape)
