"""Gradients of layers over clips against central differences, on the backend of this process.

Prints a JSON object, `{case: difference as a fraction of the larger of the two}`. In float64, so
that only rounding differs. Norms, which compute in float32 on JAX and torch, are folded into the
convolutions before them.
"""

import json

import keras
import numpy as np

from keras_video.inference import fold_batch_norm
from keras_video.layers.depthwise import DepthwiseConv3D
from keras_video.layers.factorized import factorized_bn
from keras_video.layers.sliding_mean import SlidingMean

STEP = 1e-6
SHAPE = (5, 8, 6, 4)


def depthwise(kernel_size, strides=1):
    return lambda x: DepthwiseConv3D(kernel_size, strides, name="depthwise")(x)


def factorized(strides=1, kernel_size=3, **arguments):
    return lambda x: factorized_bn(x, 6, kernel_size, strides, name="factorized", **arguments)


CASES = {
    "depthwise 3x3x3": depthwise(3),
    "depthwise 3x3x3, strides 1x2x2": depthwise(3, (1, 2, 2)),
    "depthwise 3x3x3, strides 2x2x2": depthwise(3, 2),
    "depthwise 5x1x1": depthwise((5, 1, 1)),
    "depthwise 1x3x3, strides 1x2x2": depthwise((1, 3, 3), (1, 2, 2)),
    "(2+1)D": factorized(),
    "(2+1)D, strides 2x2x2": factorized(2, activation=None),
    "(2+1)D, strides 1x2x2, width 5": factorized((1, 2, 2), width=5, middle_epsilon=1e-3),
    "(2+1)D stem": factorized((1, 2, 2), (3, 7, 7), width=5),
    "sliding mean": lambda x: keras.layers.Activation("silu")(SlidingMean((2, 3, 3))(x)),
}


def network(layers):
    """A model of the layers with random weights."""
    clip = keras.Input(SHAPE)
    model = keras.Model(clip, layers(clip))
    rng = np.random.default_rng(0)
    for variable in model.weights:
        positive = "variance" in variable.path or variable.path.endswith("gamma")
        draw = rng.uniform(0.75, 1.25, variable.shape)
        variable.assign(draw if positive else rng.normal(0, 0.3, variable.shape))
    return fold_batch_norm(model)


def gradients(model, clips, factors, training):
    """Gradients of `sum(outputs * factors)` with respect to clips and trainable variables."""
    variables = [v.value for v in model.trainable_variables]
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.constant(clips)
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(model(x, training=training) * factors)
        results = tape.gradient(total, [x, *variables])
    elif backend == "jax":
        import jax

        def total(x, trainable):
            fixed = model.non_trainable_variables
            outputs, _ = model.stateless_call(trainable, fixed, x, training=training)
            return (outputs * factors).sum()

        by_clips, by_variables = jax.grad(total, argnums=(0, 1))(clips, variables)
        results = [by_clips, *by_variables]
    else:
        import torch

        x = torch.tensor(clips, requires_grad=True)
        total = (model(x, training=training) * torch.tensor(factors)).sum()
        results = torch.autograd.grad(total, [x, *variables])
    return [np.array(keras.ops.convert_to_numpy(gradient)) for gradient in results]


def loss(model, clips, factors, training):
    outputs = keras.ops.convert_to_numpy(model(clips, training=training))
    return float((outputs * factors).sum())


def check(model, batch, training):
    """The largest difference along one random direction of the clips and of each variable."""
    rng = np.random.default_rng(1)
    clips = rng.normal(size=(batch, *SHAPE))
    factors = rng.normal(size=(batch, *model.output_shape[1:]))
    exact_gradients = gradients(model, clips, factors, training)
    worst = 0.0
    for index, gradient in enumerate(exact_gradients):
        direction = rng.normal(size=gradient.shape)
        variable = model.trainable_variables[index - 1] if index else None
        start = clips if variable is None else keras.ops.convert_to_numpy(variable).copy()
        ends = []
        for sign in (1, -1):
            moved = start + sign * STEP * direction
            if variable is not None:
                variable.assign(moved)
            ends.append(loss(model, clips if variable is not None else moved, factors, training))
        if variable is not None:
            variable.assign(start)
        numeric, exact = (ends[0] - ends[1]) / (2 * STEP), float((gradient * direction).sum())
        worst = max(worst, abs(numeric - exact) / max(abs(numeric), abs(exact), 1e-3))
    return worst


def main():
    keras.config.set_floatx("float64")
    worst = {}
    for name, layers in CASES.items():
        model = network(layers)
        # Inference on one clip and training on several take different code paths.
        for batch, training in ((2, True), (1, False)):
            worst[f"{name}, {batch} clips"] = check(model, batch, training)
    print(json.dumps(worst))


if __name__ == "__main__":
    main()
