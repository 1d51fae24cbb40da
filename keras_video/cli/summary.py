"""Reports the cost of a model: parameters, operations, memory and speed.

    keras-video summary --row x3d_m_16x5x1_facebook_kinetics400_rgb
    keras-video summary --row tsm_r50_1x1x8_50e_sthv1_rgb --input_shape 8,320,320,3
    keras-video summary --plot zoo.png --dataset kinetics400

Rows are built with random weights, so nothing is downloaded. Operations are multiply-adds. The
published counts of the zoo include norms, ReLUs and pooling, but not products of two tensors
(attention).
"""

import math
import statistics
import time

import numpy as np

from keras_video import inference, zoo
from keras_video.cli.models import RANDOM, chosen_model, define_model_flags
from keras_video.cli.zoo_picture import draw_zoo

KINDS = ("convolution", "dense", "product", "norm", "relu", "pooling")


def define(flags):
    define_model_flags(flags)
    flags.integers("input_shape", "clip shape: frames,height,width,channels")
    flags.group("Output")
    flags.switch("layers", False, "also print the cost of each layer")
    flags.integer("runs", 10, "number of timed runs; 0 skips the speed measurement", 0)
    flags.string(
        "plot", None, "*.png plot of accuracy over operations of all zoo rows, in place of a report"
    )
    flags.string("dataset", "kinetics400", "dataset of the plotted rows")


def run(options, _):
    if options.plot:
        draw_zoo(options.plot, options.dataset)
        return
    overrides = {"input_shape": options.input_shape} if options.input_shape else {}
    model = chosen_model(options, weights=RANDOM, **overrides)
    shape = overrides.get("input_shape", model.input_shape[1:])
    count = inference.count_flops(model, shape)
    if options.layers:
        print_layers(count)
    print(f"{model.name}, a clip of {' x '.join(map(str, shape))}")
    print_parameters(model)
    print_costs(count.total)
    if options.row and zoo.row(options.row).flops:
        print(f"{'  published':20}{zoo.row(options.row).flops / 1e9:14.3f} G")
    if options.runs:
        rate = 1 / seconds(model, shape, options.runs)
        print(f"{'speed':20}{rate:14.2f} clips/s, one at a time")


def print_parameters(model):
    """Prints the number of parameters and the memory they take."""
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    size = sum(
        math.prod(weight.shape) * np.dtype(weight.dtype).itemsize for weight in model.weights
    )
    print(f"{'parameters':20}{trainable:14,} trainable, {model.count_params():,} in total")
    print(f"{'memory':20}{size / 2**20:14.1f} MiB")


def print_costs(cost):
    """Prints operations by kind, and activations."""
    print(f"{'multiply-adds':20}{cost.multiply_adds / 1e9:14.3f} G")
    print(f"{'as in the zoo':20}{cost.published / 1e9:14.3f} G")
    for kind in KINDS:
        if getattr(cost, kind):
            print(f"{'  ' + kind:20}{getattr(cost, kind) / 1e9:14.3f} G")
    print(f"{'activations':20}{cost.activations / 1e6:14.1f} M, of convolutions and dense layers")


def print_layers(count):
    """Prints a line for every layer that computes something."""
    width = max(len(name) for name, *_ in count.layers)
    for name, kind, output, cost in count.layers:
        if cost.published or cost.product:
            operations = (cost.published + cost.product) / 1e6
            print(f"{name:{width}}  {kind:24} {operations:12.2f} M  {output}")


def seconds(model, shape, runs):
    """Median time of one clip through the compiled model."""
    clip = np.random.default_rng(0).normal(size=(1, *shape)).astype("float32")
    model.predict_on_batch(clip)  # compiles
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        model.predict_on_batch(clip)
        times.append(time.perf_counter() - start)
    return statistics.median(times)
