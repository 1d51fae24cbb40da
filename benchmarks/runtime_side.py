"""Worker: one row of the zoo in plain Keras, through `optimize`, or in another runtime.

Started by runtimes.py. To run it alone:

    echo "run 5" | python runtime_side.py --row ROW --shape 1,8,224,224,3 --form optimize
"""

import argparse

import keras_model  # noqa: F401  (imports Keras and TensorFlow as all our sides do)
import numpy as np
import tensorflow as tf
import worker

import keras_video
from keras_video import zoo
from keras_video.inference import optimize

FORMS = ("keras", "optimize", "onnx", "openvino")


def prepare(args):
    """Builds and warms up the subject; returns `(run, facts)`."""
    tf.config.set_visible_devices([], "GPU")
    keras_model.keras.utils.set_random_seed(0)
    model = zoo.row(args.row).model(
        weights=None, input_shape=args.shape[1:], classifier_activation=None
    )
    keras_model.randomize_norms(model)
    clips = np.random.default_rng(0).normal(size=args.shape).astype("float32")
    facts = {"keras_video": keras_video.__version__, "tensorflow": tf.__version__}
    call = model.predict_on_batch
    if args.form != "keras":
        runtime = "auto" if args.form == "optimize" else args.form
        optimized = optimize(model, args.shape, runtime)
        call = optimized.call
        facts |= {"form": optimized.form, "difference": f"{optimized.difference:.1e}"}
        if args.form == "optimize":
            times = optimized.seconds.items()
            facts["measured"] = {name: round(seconds, 4) for name, seconds in times}

    def run():
        return call(clips)

    run()
    run()
    return run, facts


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--row", required=True, help="name of a row of keras_video.zoo")
    parser.add_argument("--shape", required=True, type=lambda s: tuple(map(int, s.split(","))))
    parser.add_argument("--form", choices=FORMS, required=True)
    return parser


if __name__ == "__main__":
    arguments = build_parser().parse_args()
    worker.serve(lambda: prepare(arguments))
