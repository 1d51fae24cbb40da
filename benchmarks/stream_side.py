"""Worker: a step of a causal network of the zoo, in one runtime, on the CPU.

Started by stream.py. To run it alone:

    echo "run 5" | python stream_side.py --row movinet_a0_stream --form litert --threads 1
"""

import argparse
import tempfile
from pathlib import Path

import keras_model
import numpy as np
import tensorflow as tf
import worker

import keras_video
from keras_video import zoo
from keras_video.inference import Stream, export_stream, load_exported_stream

KERAS, SAVED_MODEL = "keras", "saved_model"
# Forms of LiteRT files, and the quantization of their weights.
LITERT = {"litert": None, "litert_float16": "float16", "litert_int8": "int8"}
FORMS = (*LITERT, KERAS, SAVED_MODEL)


def prepare(args):
    """Builds and warms up the subject; returns `(run, facts)`."""
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    keras_model.keras.utils.set_random_seed(0)
    row = zoo.row(args.row)
    model = row.model(weights=None, classifier_activation=None)
    keras_model.randomize_norms(model)
    image = model.input_shape[2:]
    frame = np.random.default_rng(0).random((1, 1, *image)).astype("float32")
    stream, facts = runtime(model, args)

    def run():
        stream(frame)

    run()
    run()
    parameters = keras_model.count_trainable_parameters(model)
    versions = {"keras_video": keras_video.__version__, "tensorflow": tf.__version__}
    return run, versions | {"frame": list(image), "parameters": parameters} | facts


def runtime(model, args):
    """A stream of the model in a runtime, and facts about it."""
    if args.form == KERAS:
        return Stream(model), {}
    with tempfile.TemporaryDirectory() as folder:
        if args.form == SAVED_MODEL:
            path = export_stream(model, Path(folder) / "step")
            return load_exported_stream(path), {}
        path = Path(folder) / "step.tflite"
        export_stream(model, path, "litert", quantization=LITERT[args.form])
        size = f"{path.stat().st_size / 2**20:.1f} MiB"
        return load_exported_stream(path, threads=args.threads), {"file": size}


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--row", required=True, help="name of a row of keras_video.zoo")
    parser.add_argument("--form", choices=FORMS, required=True)
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    arguments = build_parser().parse_args()
    worker.serve(lambda: prepare(arguments))
