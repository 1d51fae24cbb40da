"""Selection of the fastest equivalent form of a model on this machine, by a short benchmark."""

import gc
import importlib.util
import shutil
import tempfile
import time
import weakref
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from absl import logging

from keras_video.inference.folding import fold_batch_norm, foldable_norms
from keras_video.inference.winograd import filtered_layers, folded_winograd_model

RUNTIMES = ("auto", "keras", "onnx", "openvino")
PRECISIONS = ("float32", "bfloat16")
PACKAGES = {"onnx": ("onnx", "tf2onnx", "onnxruntime"), "openvino": ("onnx", "tf2onnx", "openvino")}
# Allowed float32 difference of an equivalent form, relative to the largest output.
TOLERANCE = 1e-4
# Seconds for timing a form against the model, and minimum number of calls of each.
SECONDS, LEAST_CALLS = 0.6, 5


@dataclass(frozen=True)
class Optimized:
    """A model in its fastest form: a function of clips that returns NumPy arrays.

    Attributes:
        form: name of the form, such as "folded" or "onnx".
        speedup: how many times faster than `model.predict_on_batch` it was on a random clip.
        difference: largest output difference on that clip, relative to the largest output.
        seconds: time per call of every measured form; the model itself is "keras".
    """

    call: object
    form: str
    speedup: float
    difference: float
    seconds: dict

    def __call__(self, clips):
        return self.call(clips)


def optimize(model, sample_shape=None, runtime="auto", precision="float32"):
    """Finds the fastest function equivalent to a model.

    These forms are timed on a random clip, each in turn with the unchanged model: on TensorFlow the
    compiled model, also with norms folded into convolutions (`fold_batch_norm`), and also with
    fewer multiplications (`winograd_model`); on JAX and torch the compiled folded model; and, if
    installed, ONNX Runtime and OpenVINO, which receive the model as an ONNX file. Forms whose
    outputs differ too much are rejected.

    Only one form is held at a time, so that the process's own memory grows by at most three times
    that of the weights, including exports and memory that TensorFlow does not release. OpenVINO
    additionally maps the weights of its file, whose pages the system can drop.
    `compile_frozen` holds eight to ten times the weights (the graph, its copy in TensorFlow's
    library of functions, the optimized graph, its constants and their copies arranged for the CPU)
    and is not among the forms. Optimizing takes seconds to minutes, so it pays off from a few
    hundred clips on. Later changes of the model's weights have no effect.

    Args:
        model: a functional model of one input.
        sample_shape: `(batch, frames, height, width, channels)` of the clips to expect; by default
            one clip of the model's input shape, which must be fully known. Other shapes are
            accepted; OpenVINO is recompiled when the first of them comes.
        runtime: "auto" for the fastest, "keras" for forms of the backend only, "onnx" or
            "openvino" for that runtime.
        precision: "float32", or "bfloat16" if rounding to it is acceptable: the same model in
            `mixed_bfloat16` is timed as well, also in OpenVINO, and the difference is reported.

    Returns:
        An `Optimized`, which is called with clips and has `form`, `speedup` and `difference`.

    Raises:
        ValueError: for an unknown runtime or precision, bfloat16 from ONNX Runtime, an unknown clip
            shape, or a runtime whose outputs differ.
        ImportError: if the packages of the requested runtime are missing.
    """
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime={runtime!r}: expected one of {', '.join(RUNTIMES)}.")
    if precision not in PRECISIONS:
        raise ValueError(f"precision={precision!r}: expected one of {', '.join(PRECISIONS)}.")
    if runtime == "onnx" and precision != "float32":
        raise ValueError(f"precision={precision!r}: expected 'float32' with runtime='onnx'.")
    clips = _sample(model, sample_shape)
    expected = np.asarray(model.predict_on_batch(clips))
    best, seconds, rejected = ("keras", 1.0, 0.0, None, None), {}, {}
    for form, make in _forms(model, runtime, precision, clips):
        # Only one form is held besides the model: the winner is built again at the end.
        best = (*best[:4], None)
        gc.collect()  # a model refers to itself
        try:
            call = make()
            outputs = call(clips)
        except Exception as error:  # a runtime lacks an operation, a compiler is missing
            if runtime in PACKAGES:
                raise
            logging.warning("optimize: %s failed, skipped: %.300s", form, error)
            continue
        difference = _difference(outputs, expected)
        allowed = np.inf if form.startswith("bfloat16") else TOLERANCE
        if not difference <= allowed:
            logging.warning("optimize: %s differs by %.2g, skipped.", form, difference)
            rejected[form] = difference
            continue
        plain, fast = _least_seconds((model.predict_on_batch, call), clips)
        seconds.setdefault("keras", plain)
        # Both timed in the same minute, so that a machine that slows down does not bias the result.
        speedup = plain / fast
        seconds[form] = seconds["keras"] / speedup
        if speedup > best[1] or (runtime in PACKAGES and best[3] is None):
            best = (form, speedup, difference, make, call)
        del call
    form, speedup, difference, make, call = best
    if runtime in rejected:
        raise ValueError(
            f"runtime={runtime!r}: its outputs differ by {rejected[runtime]:.2g} of the largest, "
            f"expected at most {TOLERANCE}."
        )
    if make is None:
        call = model.predict_on_batch
    elif call is None:
        gc.collect()
        call = make()
        call(clips)
    logging.info(
        "optimize: %s is %.2f times as fast as %s, outputs differ by %.2g of the largest.",
        form, speedup, model.name, difference,
    )  # fmt: skip
    return Optimized(call, form, speedup, difference, seconds)


def _sample(model, sample_shape):
    if len(model.inputs) != 1:
        raise ValueError(f"optimize: {model.name!r} has {len(model.inputs)} inputs, expected one.")
    shape = tuple(sample_shape or (1, *model.input_shape[1:]))
    unknown = None in shape or len(shape) != len(model.input_shape)
    if unknown or any(own not in (None, size) for own, size in
                      zip(model.input_shape, shape, strict=True)):  # fmt: skip
        raise ValueError(
            f"sample_shape={sample_shape}: expected sizes that fit {model.input_shape}."
        )
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def _forms(model, runtime, precision, clips):
    """Yields `(name, function that builds a function of clips)` for every form to measure."""
    if runtime in ("auto", "keras"):
        yield from _backend_forms(model, "")
        if precision == "bfloat16":
            yield from _backend_forms(_in_bfloat16(model), "bfloat16, ")
    for name, load in (("onnx", _onnx), ("openvino", _openvino)):
        if runtime not in ("auto", name):
            continue
        missing = [
            package for package in PACKAGES[name] if importlib.util.find_spec(package) is None
        ]
        if runtime == name and missing:
            raise ImportError(f"runtime={name!r}: missing packages: {', '.join(missing)}.")
        if keras.backend.backend() == "tensorflow" and not missing:
            yield name, lambda load=load: _exported(model, load)
            if name == "openvino" and precision == "bfloat16":
                yield "bfloat16, openvino", lambda: _exported(model, _openvino_in_bfloat16)
        elif runtime == name:
            raise ValueError(
                f"runtime={name!r}: expected the TensorFlow backend, which exports models, not "
                f"{keras.backend.backend()!r}."
            )


def _backend_forms(model, prefix):
    """Yields the forms that need only the backend, without duplicates."""
    backend, folds = keras.backend.backend(), bool(foldable_norms(model))
    # `predict_on_batch` is compiled on JAX; on torch a second compilation would take minutes.
    if backend == "tensorflow" or prefix or (backend == "torch" and not folds):
        yield f"{prefix}compiled", lambda: _compiled(model)
    if folds:
        yield f"{prefix}folded", lambda: _compiled(fold_batch_norm(model))
    if backend == "tensorflow" and not prefix and filtered_layers(model):
        name = "folded, Winograd" if folds else "Winograd"
        yield name, lambda: _compiled(folded_winograd_model(model))


def _in_bfloat16(model):
    """A copy with the same layers and weights that computes in bfloat16."""

    def layer_config(layer):
        config = layer.get_config()
        if layer.compute_dtype == "float32" and not isinstance(layer, keras.layers.InputLayer):
            config["dtype"] = "mixed_bfloat16"
        return type(layer).from_config(config)

    clone = keras.models.clone_model(model, clone_function=layer_config)
    clone.set_weights(model.get_weights())
    return clone


def _compiled(model):
    """A model compiled by its backend, from NumPy to NumPy in float32."""
    backend = keras.backend.backend()
    if backend == "torch":
        return _compiled_by_torch(model)
    forward = model.predict_on_batch  # JAX compiles it
    if backend == "tensorflow":
        import tensorflow as tf

        # The second batch size traces one more function, which serves all others as well.
        forward = tf.function(lambda clips: model(clips, training=False), reduce_retracing=True)

    def call(clips):
        outputs = forward(keras.ops.convert_to_tensor(clips))
        return np.asarray(keras.ops.convert_to_numpy(outputs), "float32")

    return call


def _compiled_by_torch(model):
    """Like `_compiled`, for clips of the first call's shape; others use the uncompiled model.

    `torch.compile` does not support a Keras model, but does support its traced operations.
    """
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    compiled = {}

    def call(clips):
        shape = tuple(clips.shape)
        with torch.no_grad():
            tensor = keras.ops.convert_to_tensor(clips)
            if not compiled:
                graph = make_fx(lambda x: model(x, training=False))(tensor)
                compiled[shape] = torch.compile(graph)
            forward = compiled.get(shape, model)
            return np.asarray(keras.ops.convert_to_numpy(forward(tensor)), "float32")

    return call


def _exported(model, load):
    """The function that `load` returns for the model's ONNX file, which is kept alive with it."""
    from keras_video.inference.graph import Graph
    from keras_video.inference.onnx_files import write_onnx

    folder = tempfile.mkdtemp()
    path = Path(folder) / "model.onnx"
    try:
        # Runtimes would read weights inside the file into memory besides their own copies.
        write_onnx(Graph(model), path, {}, external_weights=True)
        call = load(path)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(call, shutil.rmtree, folder, ignore_errors=True)
    return call


def _onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda clips: session.run(None, {name: np.asarray(clips, "float32")})[0]


def _openvino_in_bfloat16(path):
    return _openvino(path, "bf16")


def _openvino(path, precision="f32"):
    """Compiles for the shape of the first clips, which is faster, and again if others come."""
    import openvino

    core, shape, run = openvino.Core(), None, None

    def compiled():
        model = core.read_model(str(path))
        if shape is not None:
            model.reshape(list(shape))
        return core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})

    def call(clips):
        nonlocal shape, run
        clips = np.asarray(clips, "float32")
        if run is None or shape not in (None, clips.shape):
            shape = clips.shape if run is None else None
            run = None  # frees its weights before compiling again
            run = compiled()
        return run(clips)[0]

    return call


def _difference(outputs, expected):
    """Largest difference relative to the largest expected output; infinite if any is not finite."""
    worst = float(np.abs(np.asarray(outputs) - expected).max() / max(np.abs(expected).max(), 1e-30))
    return worst if np.isfinite(worst) else np.inf


def _least_seconds(calls, clips):
    """Minimum time of each call, taking turns: other processes may use the machine too."""
    times = [[] for _ in calls]
    while len(times[0]) < LEAST_CALLS or sum(map(sum, times)) < SECONDS:
        for call, seconds in zip(calls, times, strict=True):
            start = time.perf_counter()
            call(clips)
            seconds.append(time.perf_counter() - start)
    return [min(seconds) for seconds in times]
