"""Writes a trained model for TensorFlow, ONNX Runtime or phones, and compares what it computes.

    python recipes/export.py --model runs/tsn/model.keras --format onnx --out tsn.onnx
    python recipes/export.py --row x3d_s_13x6x1_facebook_kinetics400_rgb --format litert \
        --out x3d_s.tflite

A row comes with its published weights, or with `--weights`. The file carries the class names and
the preprocessing, see `keras_video.inference.read_metadata`. What came of every family in every
format is in `applications/export.md`.
"""

import keras
import numpy as np
from absl import app, flags

from keras_video import inference
from keras_video.inference.flags import define_model_flags, flagged_model

FLAGS = define_model_flags()
flags.DEFINE_list("input_shape", None, "of a row's clips: frames,height,width,channels")
flags.DEFINE_enum("format", "onnx", inference.EXPORT_FORMATS, "of the file")
flags.DEFINE_string("out", None, "file *.onnx or *.tflite, or folder of a SavedModel")
flags.DEFINE_integer("batch_size", None, "clips of a batch; open if not given", 1)
flags.DEFINE_bool("fold", True, "fold batch norms into convolutions first")
flags.DEFINE_bool("check", True, "run the file and compare it with Keras")
flags.mark_flag_as_required("out")

# Of the largest score.
TOLERANCE = 1e-4


def main(_):
    shape = {"input_shape": tuple(map(int, FLAGS.input_shape))} if FLAGS.input_shape else {}
    model = flagged_model(FLAGS, **shape)
    exported = inference.fold_batch_norm(model) if FLAGS.fold else model
    path = inference.export_model(exported, FLAGS.out, FLAGS.format, batch_size=FLAGS.batch_size)
    print(f"Wrote {path} ({FLAGS.format}).")
    if FLAGS.check:
        check(model, path)


def check(model, path):
    """Prints the largest difference of the scores of noise, and exits where it is too large."""
    rng, batch = np.random.default_rng(0), FLAGS.batch_size or 2

    def noise(tensor):
        shape = (batch, *(size or 64 for size in tensor.shape[1:]))
        return rng.normal(size=shape).astype("float32")

    clips = keras.tree.map_structure(noise, model.input)
    expected = model.predict_on_batch(clips)
    worst = np.abs(inference.load_exported(path)(clips) - expected).max()
    print(f"Largest difference from Keras: {worst:.1e}, scores up to {np.abs(expected).max():.3g}.")
    if worst > TOLERANCE * np.abs(expected).max():
        raise SystemExit("The exported file does not compute what the model does.")


if __name__ == "__main__":
    app.run(main)
