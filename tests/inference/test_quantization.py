"""Quantized exported files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_video import inference
from keras_video.inference.quantization import batches, fixed_batches
from tests.applications import families
from tests.inference.test_export import needs_onnx
from tests.inference.test_pixel_input import fed, pixels

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="models are exported with TensorFlow"
)
CLIPS = families.clips("tsn", 4)


def int8_operations(path):
    """Matrix products and convolutions of a LiteRT file whose results are int8."""
    interpreter = tf.lite.Interpreter(str(path))
    types = {each["index"]: each["dtype"] for each in interpreter.get_tensor_details()}
    return sum(
        types[operation["outputs"][0]] == np.int8
        for operation in interpreter._get_ops_details()
        if operation["op_name"] in ("CONV_2D", "FULLY_CONNECTED")
    )


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize(
    ("format", "quantize", "share", "tolerance"),
    [
        ("litert", "float16", 0.52, 2e-3),
        ("litert", "int8", 0.28, 0.05),
        pytest.param("onnx", "int8", 0.28, 0.05, marks=needs_onnx),
    ],
)
def test_files_are_smaller_and_nearly_as_accurate(tmp_path, format, quantize, share, tolerance):
    model = families.shared("tsn")
    name = {"litert": "model.tflite", "onnx": "model.onnx"}[format]
    path = inference.export_model(model, tmp_path / name, format, quantize=quantize)
    assert path.stat().st_size < share * 4 * model.count_params()
    agreement = inference.compare_exported(path, model, [CLIPS])
    assert 0 < agreement.largest_difference < tolerance * agreement.largest_score
    facts = inference.read_metadata(path)
    assert facts["quantize"] == {"weights": quantize, "calibrated": False}
    assert facts["inputs"]["clip"]["dtype"] == "float32" and facts["outputs"] == ["scores"]
    if format == "litert":
        assert int8_operations(path) == 0


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("batch_size", [None, 3])
def test_calibration_makes_the_operations_int8(tmp_path, batch_size):
    """Frames of two sizes, with and without labels, for a file that accepts any size."""
    model = fed(name="tsn")
    calibration = [pixels(40, 48, 3), (pixels(32, 60, 3), np.array([0, 1]))]
    path = inference.export_model(
        model, tmp_path / "model.tflite", "litert", batch_size=batch_size, pixels=True,
        frame_size=(None, None), quantize="int8", calibration=calibration,
    )  # fmt: skip
    assert int8_operations(path) > 10
    with pytest.raises(ValueError, match="labels for 2 of 4 clips, expected labels for all or"):
        inference.compare_exported(path, model, calibration)
    agreement = inference.compare_exported(path, model, [calibration[0], calibration[1][0]])
    assert agreement.clips == 4
    assert 0 < agreement.largest_difference < 0.1 * agreement.largest_score
    assert inference.read_metadata(path)["quantize"] == {"weights": "int8", "calibrated": True}


@pytest.mark.parametrize(
    ("format", "name", "options", "message"),
    [
        ("tf_saved_model", "m", {"quantize": "int8"}, "format='tf_saved_model' supports none"),
        ("onnx", "m.onnx", {"quantize": "float16"}, "format='onnx' supports 'int8'"),
        ("litert", "m.tflite", {"quantize": "int4"}, "'int4'.*supports 'float16', 'int8'"),
        (
            "litert",
            "m.tflite",
            {"calibration": [CLIPS]},
            "expected format='litert' and quantize='int8', received.*quantize=None",
        ),
        (
            "litert",
            "m.tflite",
            {"quantize": "float16", "calibration": [CLIPS]},
            "calibration: expected format='litert' and quantize='int8'",
        ),
        ("onnx", "m.onnx", {"quantize": "int8", "calibration": [CLIPS]}, "format='onnx'"),
        ("litert", "m.tflite", {"quantize": "int8", "calibration": []}, "without batches"),
        (
            "litert",
            "m.tflite",
            {"quantize": "int8", "calibration": [CLIPS[:, :, :16]]},
            r"received clip of shape \(4, 3, 16, 32, 3\) and float32, expected \(None, 3, 32, 32",
        ),
    ],
)
def test_unsupported_quantizations_are_rejected(tmp_path, format, name, options, message):
    with pytest.raises(ValueError, match=message):
        inference.export_model(families.shared("tsn"), tmp_path / name, format, **options)
    assert not (tmp_path / name).exists()


def test_calibration_batches_of_datasets():
    inputs = {"clip": tf.TensorSpec((None, 3, 32, 32, 3), "float32")}
    views = np.stack([CLIPS, CLIPS], axis=1)
    (single,) = batches(tf.data.Dataset.from_tensors(CLIPS), inputs)
    assert single[1] is None and single[0]["clip"].shape == CLIPS.shape
    ((several, labels),) = batches([(views, np.arange(4))], inputs)
    assert several["clip"].shape == (8, 3, 32, 32, 3)
    assert labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    parts = list(fixed_batches([(CLIPS, np.arange(4))], inputs, 3))
    assert [(part["clip"].shape[0], labels.tolist(), n) for part, labels, n in parts] == [
        (3, [0, 1, 2], 3),
        (3, [3], 1),
    ]
    with pytest.raises(ValueError, match="and uint8, expected"):
        list(batches([CLIPS.astype("uint8")], inputs))
    with pytest.raises(ValueError, match=r"received clips of \['video'\], expected \['clip'\]"):
        list(batches([{"video": CLIPS}], inputs))
