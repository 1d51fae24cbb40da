"""Quantization of exported files, and batches of calibration clips."""

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

FLOAT16, INT8 = "float16", "int8"
# Supported quantizations of each format.
QUANTIZATIONS = {"tf_saved_model": (), "onnx": (INT8,), "litert": (FLOAT16, INT8)}


def check_quantization(format, quantize, calibration):
    """Checks that a format supports a quantization and calibration.

    Raises:
        ValueError: if it does not.
    """
    supported = QUANTIZATIONS[format]
    if quantize is not None and quantize not in supported:
        choices = ", ".join(map(repr, supported)) or "none"
        raise ValueError(f"quantize={quantize!r}: format={format!r} supports {choices}.")
    if calibration is not None and (format, quantize) != ("litert", INT8):
        raise ValueError(
            f"calibration: expected format='litert' and quantize='int8', received "
            f"format={format!r}, quantize={quantize!r}."
        )


def batches(dataset, inputs):
    """Batches of a dataset as `({name: array}, labels)`, labels `None` if it has none.

    Args:
        dataset: batches of model inputs: clips (a dictionary for several inputs), or a
            tuple of clips and labels. Test views `(batch, views, ...)` count as clips.
        inputs: `{name: spec}` with the shape and type of the file's inputs.

    Raises:
        ValueError: for clips of another shape or type, or an empty dataset.
    """
    empty = True
    for element in dataset:
        clips, labels = element[:2] if isinstance(element, tuple) else (element, None)
        clips = clips if isinstance(clips, dict) else dict.fromkeys(inputs, clips)
        if clips.keys() != inputs.keys():
            raise ValueError(f"received clips of {list(clips)}, expected {list(inputs)}.")
        views = 1
        arrays = {}
        for name, spec in inputs.items():
            array = np.asarray(clips[name])
            if array.ndim == len(spec.shape) + 1:
                views = array.shape[1]
                array = array.reshape(-1, *array.shape[2:])
            arrays[name] = _checked(array, spec, name)
        empty = False
        yield arrays, None if labels is None else np.repeat(np.asarray(labels), views, axis=0)
    if empty:
        raise ValueError("received a dataset without batches, expected clips.")


def _checked(array, spec, name):
    dtype = np.dtype(getattr(spec.dtype, "as_numpy_dtype", spec.dtype))
    fits = len(array.shape) == len(spec.shape) and all(
        size in (None, actual) for size, actual in zip(spec.shape[1:], array.shape[1:], strict=True)
    )
    if not fits or array.dtype != dtype:
        raise ValueError(
            f"received {name} of shape {array.shape} and {array.dtype}, expected "
            f"{tuple(spec.shape)} and {dtype}."
        )
    return array


def fixed_batches(dataset, inputs, size):
    """Like `batches`, in batches of `size`; incomplete ones are padded with their last clip.

    Yields:
        `({name: array}, labels, count)`; the first `count` clips are from the dataset.
    """
    for arrays, labels in batches(dataset, inputs):
        count = len(next(iter(arrays.values())))
        for start in range(0, count, size):
            part = {name: array[start : start + size] for name, array in arrays.items()}
            valid = min(size, count - start)
            filled = {
                name: np.concatenate([array, np.repeat(array[-1:], size - valid, axis=0)])
                for name, array in part.items()
            }
            yield filled, None if labels is None else labels[start : start + valid], valid


def quantized_litert(folder, graph, quantize, calibration):
    """A SavedModel as the bytes of a LiteRT file with quantized weights.

    With `calibration`, all supported operations run in int8; inputs and outputs stay float32.
    """
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if calibration is not None:

        def clips():
            for arrays, _, _ in fixed_batches(calibration, graph.inputs, graph.batch_size or 1):
                yield arrays

        converter.representative_dataset = clips
    return converter.convert()


def quantize_onnx(path, properties):
    """Rewrites an ONNX file with unsigned 8-bit weights; activations are quantized dynamically."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "quantized.onnx")
        quantize_dynamic(path, result, weight_type=QuantType.QUInt8)
        model = onnx.load(result)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, properties)
    onnx.save(model, path)
