"""Says what a model costs: parameters, operations, activations, memory, and measured speed.

    keras-video summary --row x3d_m_16x5x1_facebook_kinetics400_rgb
    keras-video summary --row tsm_r50_1x1x8_50e_sthv1_rgb --input_shape 8,320,320,3
    keras-video summary --plot zoo.png --dataset kinetics400

A row is taken with random weights: nothing is fetched. Operations are multiply-adds. The zoo counts
norms, ReLUs and poolings as well, but no products of two tensors (attention).
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
    flags.integers("input_shape", "of a clip: frames,height,width,channels")
    flags.group("Output")
    flags.switch("layers", False, "also print what every layer costs")
    flags.integer("runs", 10, "timed runs; 0 measures no speed", 0)
    flags.string("plot", None, "picture *.png of the zoo's accuracy against operations")
    flags.string("dataset", "kinetics400", "of the rows in the picture")


def run(options, _):
    if options.plot:
        draw_zoo(options.plot, options.dataset)
        return
    wanted = {"input_shape": options.input_shape} if options.input_shape else {}
    model = chosen_model(options, weights=RANDOM, **wanted)
    shape = wanted.get("input_shape", model.input_shape[1:])
    count = inference.count_flops(model, shape)
    if options.layers:
        print_layers(count)
    print(f"{model.name}, a clip of {' x '.join(map(str, shape))}")
    print_parameters(model)
    print_costs(count.total)
    if options.row and zoo.row(options.row).flops:
        print(f"{'  zoo states':20}{zoo.row(options.row).flops / 1e9:14.3f} G")
    if options.runs:
        rate = 1 / seconds(model, shape, options.runs)
        print(f"{'speed':20}{rate:14.2f} clips a second, one at a time")


def print_parameters(model):
    """Numbers of parameters, and the memory they take."""
    learned = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    size = sum(math.prod(one.shape) * np.dtype(one.dtype).itemsize for one in model.weights)
    print(f"{'parameters':20}{learned:14,} learned, {model.count_params():,} in all")
    print(f"{'their memory':20}{size / 2**20:14.1f} MiB")


def print_costs(cost):
    """Operations by kind, and activations."""
    print(f"{'multiply-adds':20}{cost.multiply_adds / 1e9:14.3f} G")
    print(f"{'as the zoo counts':20}{cost.published / 1e9:14.3f} G")
    for kind in KINDS:
        if getattr(cost, kind):
            print(f"{'  ' + kind:20}{getattr(cost, kind) / 1e9:14.3f} G")
    print(f"{'activations':20}{cost.activations / 1e6:14.1f} M, of convolutions and dense layers")


def print_layers(count):
    """A line for every layer that computes something."""
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
