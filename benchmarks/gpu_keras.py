"""Keras models on JAX or torch, set by `KERAS_BACKEND`: steps, logits, convolutions."""

import contextlib
import json

import gpu_cases
import keras
import numpy as np

from keras_video.inference import count_flops
from keras_video.layers import depthwise

BACKEND = keras.backend.backend()


def prepare(case, smoke):
    """A function that runs one step of a case, and facts about the case."""
    _, name, mode, dtype, compiled = case
    model, shape = gpu_cases.build(name, dtype, smoke)
    flops = 2 * count_flops(model, shape[1:]).total.multiply_adds
    facts = {
        "batch": shape[0],
        "parameters": sum(int(np.prod(variable.shape)) for variable in model.trainable_variables),
        "flops_per_clip": flops * (3 if mode == "train" else 1),
    }
    clips = on_device(np.random.default_rng(0).standard_normal(shape, "float32"))
    step = {"train": training, "inference": inference}[mode]
    return step(model, clips, compiled), facts


def on_device(array):
    """An array as a tensor of the backend, on its default device."""
    return keras.ops.convert_to_tensor(array)


def training(model, clips, compiled):
    """The step that `fit` runs: forward, backward, SGD with momentum."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(1e-3, momentum=0.9)
    model.compile(optimizer, loss, jit_compile=compiled)
    labels = on_device(np.zeros(len(clips), "int32"))
    model._symbolic_build(data_batch=(clips, labels))  # there is no public equivalent
    optimizer.build(model.trainable_variables)
    model.make_train_function()
    data = (clips, labels, None)
    if BACKEND == "torch":
        return lambda: model.train_function(iter_of(data))
    names = ("trainable", "non_trainable", "optimizer", "metrics")
    state = model._get_jax_state(
        **{f"{name}_variables": True for name in names}, purge_model_variables=False
    )
    held = [jax_copy(state)]

    def run():
        logs, held[0] = model.train_function(held[0], iter([data]))
        return logs

    return run


def iter_of(data):
    """A batch in the container that the torch trainer expects."""
    return [data]


def jax_copy(state):
    """A copy of the state: the step donates the memory of its inputs to its outputs."""
    import jax

    return jax.tree.map(lambda array: array.copy(), state)


def inference(model, clips, compiled):
    """A function that runs one forward pass."""
    if BACKEND == "torch":
        import torch

        forward = torch.compile(model) if compiled else model

        def run():
            with torch.no_grad():
                return forward(clips, training=False)

        return run
    return jax_function(lambda x: model(x, training=False), clips, model)


def jax_function(call, clips, model):
    """A compiled function that takes the weights as arguments, as `predict` does."""
    import jax

    @jax.jit
    def forward(values, x):
        with keras.StatelessScope(state_mapping=list(zip(model.variables, values, strict=True))):
            return call(x)

    values = [variable.value for variable in model.variables]
    return lambda: forward(values, clips)


def logits(name):
    """The logits of a small network, for reproducible weights and clips."""
    families = gpu_cases.small_families()
    model = families.build(name)
    families.randomize(model)
    clips = families.clips(name)
    outputs = model.predict_on_batch(clips) if BACKEND == "jax" else model(clips, training=False)
    keras.backend.clear_session()
    return keras.ops.convert_to_numpy(outputs)


@contextlib.contextmanager
def full_float32():
    """Computes products of float32 values in full float32 precision, without TF32."""
    if BACKEND == "jax":
        import jax

        with jax.default_matmul_precision("highest"):
            yield
        return
    import torch

    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def logits_differ(names):
    """The largest difference from the stored logits over the largest of them, by small network."""
    stored = json.loads(gpu_cases.LOGITS.read_text())
    differences = {}
    with full_float32():
        for name in names:
            expected = np.array(stored[name])
            largest = float(np.abs(expected).max())
            differences[name] = float(np.abs(logits(name) - expected).max()) / largest
    return differences


def depthwise_forms():
    """The forms of `layers.depthwise`, by name."""
    names = ("grouped", "multiply_adds", "per_position")
    return {name: getattr(depthwise, name) for name in names}


def depthwise_step(form, size, dtype, mode):
    """A function that runs a convolution; in training, the gradients of clip and kernel."""
    shape, kernel_size, strides = size
    rng = np.random.default_rng(0)
    clips = on_device(rng.standard_normal(shape, "float32"))
    kernel = on_device(rng.standard_normal((*kernel_size, 1, shape[-1]), "float32"))
    clips, kernel = (keras.ops.cast(tensor, dtype) for tensor in (clips, kernel))
    convolve = depthwise_forms()[form]
    if BACKEND == "jax":
        return jax_depthwise(convolve, clips, kernel, strides, mode)
    return torch_depthwise(convolve, clips, kernel, strides, mode)


def jax_depthwise(convolve, clips, kernel, strides, mode):
    import jax
    import jax.numpy as jnp

    def loss(x, weights):
        # Squares: the gradient of a plain sum is all ones, which the compiler knows.
        return jnp.sum(jnp.square(convolve(x, weights, strides).astype("float32")))

    forward = jax.jit(lambda x, weights: convolve(x, weights, strides))
    step = jax.jit(jax.grad(loss, (0, 1))) if mode == "train" else forward
    return lambda: step(clips, kernel)


def torch_depthwise(convolve, clips, kernel, strides, mode):
    import torch

    if mode != "train":

        def forward():
            with torch.no_grad():
                return convolve(clips, kernel, strides)

        return forward
    clips, kernel = clips.requires_grad_(), kernel.requires_grad_()

    def step():
        loss = convolve(clips, kernel, strides).float().square().sum()
        return torch.autograd.grad(loss, (clips, kernel))

    return step
