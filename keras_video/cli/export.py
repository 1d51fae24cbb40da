r"""Writes a trained model for TensorFlow, ONNX Runtime or phones, and compares what it computes.

    keras-video export --model runs/tsn/model.keras --format onnx --out tsn.onnx
    keras-video export --row x3d_s_13x6x1_facebook_kinetics400_rgb --format litert \
        --out x3d_s.tflite

A row comes with its published weights, or with `--weights`. The file carries the class names and
the preprocessing, see `keras_video.inference.read_metadata`. What came of every family in every
format is in `applications/export.md`.
"""

import keras
import numpy as np

from keras_video import inference
from keras_video.cli.models import chosen_model, define_model_flags

# Of the largest score.
TOLERANCE = 1e-4


def define(flags):
    define_model_flags(flags)
    flags.integers("input_shape", "of a row's clips: frames,height,width,channels")
    flags.group("File")
    flags.choice("format", "onnx", inference.EXPORT_FORMATS, "of the file")
    flags.string("out", None, "file *.onnx or *.tflite, or folder of a SavedModel", required=True)
    flags.integer("batch_size", None, "clips of a batch; open if not given", 1)
    flags.switch("fold", True, "fold batch norms into convolutions first")
    flags.switch("check", True, "run the file and compare it with Keras")


def run(options, _):
    shape = {"input_shape": options.input_shape} if options.input_shape else {}
    model = chosen_model(options, **shape)
    exported = inference.fold_batch_norm(model) if options.fold else model
    path = inference.export_model(
        exported, options.out, options.format, batch_size=options.batch_size
    )
    print(f"Wrote {path} ({options.format}).")
    if options.check:
        check(model, path, options.batch_size or 2)


def check(model, path, batch):
    """Prints the largest difference of the scores of noise.

    Raises:
        ValueError: where it is too large.
    """
    rng = np.random.default_rng(0)

    def noise(tensor):
        shape = (batch, *(size or 64 for size in tensor.shape[1:]))
        return rng.normal(size=shape).astype("float32")

    clips = keras.tree.map_structure(noise, model.input)
    expected = model.predict_on_batch(clips)
    worst = np.abs(inference.load_exported(path)(clips) - expected).max()
    print(f"Largest difference from Keras: {worst:.1e}, scores up to {np.abs(expected).max():.3g}.")
    if worst > TOLERANCE * np.abs(expected).max():
        raise ValueError("The exported file does not compute what the model does.")
