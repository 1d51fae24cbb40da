"""Training on REPLICAS logical CPUs in a separate process: `replica_run.py REPLICAS FILE`.

Writes the results to FILE (npz): losses per step, scores of a multi-view evaluation, and the
message of a rejected setting.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from keras_video.layers.depthwise import DepthwiseConv3D
from keras_video.training import (
    SGD,
    AveragedWeights,
    EpochSeed,
    LearningRateScaling,
    MultiViewEvaluation,
    training_callbacks,
)
from keras_video.training.schedules import StepSchedule

BATCH, STEPS = 8, 6


def network(policy=None):
    """A standard and a depthwise convolution, synchronized batch normalization and a classifier."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((2, 8, 8, 3))
    x = keras.layers.Conv3D(6, (1, 3, 3), name="conv1_conv", dtype=policy)(inputs)
    x = DepthwiseConv3D((3, 3, 3), (1, 2, 2), name="conv2_conv", dtype=policy)(x)
    x = keras.layers.BatchNormalization(synchronized=True, name="conv1_bn", dtype=policy)(x)
    x = keras.layers.GlobalAveragePooling3D()(keras.layers.ReLU()(x))
    x = keras.layers.Dense(3, name="fc_cls", dtype="float32")(x)
    outputs = keras.layers.Activation("softmax", dtype="float32", name="predictions")(x)
    return keras.Model(inputs, outputs)


def data():
    random = np.random.default_rng(0)
    clips = random.normal(size=(BATCH * STEPS, 2, 8, 8, 3)).astype("float32")
    labels = random.integers(0, 3, len(clips))
    return tf.data.Dataset.from_tensor_slices((clips, labels)).batch(BATCH)


def descent():
    schedule = StepSchedule(0.5, [1], steps_per_epoch=STEPS)
    return SGD(schedule, weight_decay=1e-2, global_clipnorm=0.2)


def losses(strategy, optimizer, policy=None):
    with strategy.scope():
        model = network(policy)
        model.compile(optimizer(), "sparse_categorical_crossentropy")
    rows = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rows.append(logs["loss"])
    )
    model.fit(data(), epochs=2, callbacks=[note], verbose=0)
    return model, rows


def resumed(strategy, folder):
    """The final weights of an uninterrupted and of a resumed run."""
    outcome = []
    for name, parts in (("whole", (3,)), ("parts", (1, 3))):
        for epochs in parts:
            with strategy.scope():
                model = network()
                model.compile(descent(), "sparse_categorical_crossentropy")
            counter = type("Counter", (), {"value": 0})()
            own = [LearningRateScaling(2 * BATCH, BATCH, verbose=0), EpochSeed(counter)]
            callbacks = training_callbacks(f"{folder}/{name}", own, monitor=None)
            model.fit(data(), epochs=epochs, callbacks=callbacks, verbose=0)
        outcome.append(kernel(model))
    return outcome


def averaged(strategy):
    """The EMA kernel during the evaluation of each epoch, and the final kernel."""
    kernels = []
    with strategy.scope():
        model = network()
        optimizer = SGD(0.5, use_ema=True, ema_momentum=0.8, global_clipnorm=0.2)
        model.compile(optimizer, "sparse_categorical_crossentropy")
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kernels.append(kernel(model))
    )
    model.fit(data(), epochs=2, callbacks=[AveragedWeights([note])], verbose=0)
    return [*kernels, kernel(model)]


def kernel(model):
    return model.get_layer("conv1_conv").get_weights()[0]


def refusal(strategy):
    try:
        with strategy.scope():
            SGD(0.1, gradient_accumulation_steps=2)
    except ValueError as error:
        return str(error)
    return ""


def main(replicas, file):
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * int(replicas)
    tf.config.set_logical_device_configuration(cpu, devices)
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(int(replicas))])
    assert strategy.num_replicas_in_sync == int(replicas)
    model, curve = losses(strategy, descent)
    _, mixed = losses(strategy, descent, "mixed_float16")
    _, scaled = losses(strategy, lambda: keras.optimizers.LossScaleOptimizer(descent()))
    views = np.random.default_rng(3).normal(size=(7, 3, 2, 8, 8, 3)).astype("float32")
    labels = np.arange(7) % 3
    evaluation = MultiViewEvaluation(
        [(views[:5], labels[:5]), (views[5:], labels[5:])], max_views=5, verbose=0
    )
    evaluation.evaluate(model)
    whole, parts = resumed(strategy, f"{file}.runs")
    np.savez(
        file,
        curve=curve,
        mixed=mixed,
        scaled=scaled,
        scores=evaluation.scores,
        whole=whole,
        parts=parts,
        averaged=averaged(strategy),
        refusal=refusal(strategy),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
