"""A PyTorch original in ONNX Runtime or OpenVINO, exported as its own users would export it."""

import tempfile
from pathlib import Path

import torch

RUNTIMES = ("onnx", "openvino")
# The largest allowed difference from PyTorch's output, over the largest value of that.
TOLERANCE = 1e-3


def in_runtime(model, clips, runtime, mode):
    """A callable that runs one forward pass of a module in one of `RUNTIMES`, in float32.

    Raises:
        ValueError: the mode is not "inference".
        RuntimeError: the runtime's output differs from PyTorch's.
    """
    if mode != "inference":
        raise ValueError(f"--runtime {runtime}: received --mode {mode}, expected inference")
    model.eval()
    call = {"onnx": _onnx, "openvino": _openvino}[runtime](model, clips)
    array = clips.numpy()
    with torch.no_grad():
        expected = model(clips)
    difference = float(
        (torch.from_numpy(call(array)) - expected).abs().max() / expected.abs().max()
    )
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"{runtime}: expected PyTorch's output, received one {difference:.1e} off"
        )
    return lambda: call(array)


def _onnx(model, clips):
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        torch.onnx.export(model, (clips,), str(path), dynamo=False)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda array: session.run(None, {name: array})[0]


def _openvino(model, clips):
    import openvino

    converted = openvino.convert_model(model, example_input=clips)
    compiled = openvino.Core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda array: compiled(array)[0]
