"""Worker: one row of the zoo as a Keras model, compiled by tf.function, on the CPU.

Started by models.py. To run it alone:

    echo "run 5" | python keras_model.py --row ROW --shape 1,8,224,224,3
"""

import argparse

import keras
import numpy as np
import tensorflow as tf
import worker

from keras_video import zoo
from keras_video.inference import compile_frozen, fold_batch_norm, winograd_model
from keras_video.training.precision import use_half_precision


def inference(model, clips, frozen):
    """A callable that runs one forward pass through a compiled function."""
    if frozen:
        forward = compile_frozen(model)
        return lambda: forward(clips)
    forward = tf.function(lambda data: model(data, training=False))
    return lambda: forward(clips).numpy()


def training(model, clips):
    """A callable that runs the training step of `fit`: SGD with momentum."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), loss)
    labels = tf.zeros(len(clips), tf.int32)
    step = tf.function(model.train_step, jit_compile=model.jit_compile)
    return lambda: step((clips, labels))["loss"].numpy()


def prepare(args):
    """Builds and warms up the subject; returns `(run, facts)`."""
    tf.config.set_visible_devices([], "GPU")
    keras.utils.set_random_seed(0)
    if args.bfloat16:
        use_half_precision()
    model = zoo.row(args.row).model(
        weights=None, input_shape=args.shape[1:], classifier_activation=None
    )
    randomize_norms(model)
    if args.folded:
        model = fold_batch_norm(model)
    if args.winograd:
        model = winograd_model(model)
    clips = tf.random.stateless_normal(args.shape, (0, 0))
    train = args.mode == "train"
    run = training(model, clips) if train else inference(model, clips, args.frozen)
    run()
    run()
    facts = {"tensorflow": tf.__version__, "keras": keras.__version__}
    return run, facts | {"parameters": count_trainable_parameters(model)}


def randomize_norms(model):
    """Randomizes the variables of norms: zeros and ones could be optimized out of a graph."""
    rng = np.random.default_rng(0)
    for variable in model.variables:
        if variable.name in ("gamma", "beta", "moving_mean", "moving_variance"):
            variable.assign(rng.uniform(0.9, 1.1, variable.shape))


def count_trainable_parameters(model):
    """Number of trainable parameters, which PyTorch counts as parameters."""
    return sum(int(tf.size(variable)) for variable in model.trainable_variables)


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--row", required=True, help="row of the zoo")
    parser.add_argument("--shape", required=True, type=lambda s: tuple(map(int, s.split(","))))
    parser.add_argument("--mode", choices=("inference", "train"), default="inference")
    parser.add_argument("--folded", action="store_true", help="with norms folded into convolutions")
    parser.add_argument("--winograd", action="store_true", help="with fewer multiplications")
    parser.add_argument("--bfloat16", action="store_true", help="with mixed precision")
    parser.add_argument("--frozen", action="store_true", help="with the weights as constants")
    return parser


if __name__ == "__main__":
    arguments = build_parser().parse_args()
    worker.serve(lambda: prepare(arguments))
