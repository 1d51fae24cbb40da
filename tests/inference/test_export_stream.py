"""Exported stream steps: 16 frames with the state carried from call to call."""

import importlib.util

import keras
import numpy as np
import pytest

from keras_video import inference
from keras_video.applications import TSM, MoViNet
from tests.applications import families

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="models are exported with TensorFlow"
)

HAS_ONNX = all(importlib.util.find_spec(name) for name in ("onnx", "tf2onnx", "onnxruntime"))
FRAMES = 16
CLIPS = np.random.default_rng(0).random((1, FRAMES, 32, 32, 3), "float32")
# Format, name, quantization, and the tolerance as a fraction of the largest logit.
FILES = {
    "saved_model": ("tf_saved_model", "model", None, 1e-5),
    "onnx": ("onnx", "model.onnx", None, 1e-4),
    "litert": ("litert", "model.tflite", None, 1e-5),
    "litert float16": ("litert", "model.tflite", "float16", 5e-3),
    "litert int8": ("litert", "model.tflite", "int8", 0.1),
}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = MoViNet(
        stream=True, input_shape=(FRAMES, 32, 32, 3), classes=5, classifier_activation=None
    )
    rng = np.random.default_rng(0)
    for variable in model.weights:
        if variable.path.endswith("/scale"):
            variable.assign(0.3)
        elif variable.path.endswith(("beta", "moving_mean")):
            variable.assign(rng.normal(0, 0.1, variable.shape))
    kernel = model.get_layer("fc_cls").kernel
    kernel.assign(rng.normal(0, 0.05, kernel.shape))
    model.class_names = list("abcde")
    return model


@pytest.mark.parametrize(
    "file",
    [pytest.param(file, marks=pytest.mark.slow) if "float16" in file else file for file in FILES],
)
def test_sixteen_frames_give_the_scores_of_the_clip(model, file, tmp_path):
    format, name, quantization, tolerance = FILES[file]
    if format == "onnx" and not HAS_ONNX:
        pytest.skip("needs the extra 'onnx'")
    path = inference.export_stream(model, tmp_path / name, format, quantization=quantization)
    stream = inference.load_exported_stream(path)
    for frame in CLIPS[0]:
        scores = stream(frame)
    expected = keras.ops.convert_to_numpy(model(CLIPS))[0]
    assert np.abs(scores - expected).max() <= tolerance * np.abs(expected).max()
    assert stream.frames == FRAMES
    if quantization:
        assert path.stat().st_size < {"float16": 6e6, "int8": 4e6}[quantization]
    facts = inference.read_metadata(path)
    assert facts["class_names"] == list("abcde")
    assert facts["inputs"] == {"frames": {"shape": [1, 1, 32, 32, 3], "dtype": "float32"}}
    assert facts["state"].keys() == stream.state.keys()
    if format == "litert":
        assert b"Flex" not in path.read_bytes()


@pytest.mark.slow(every_change=True)
def test_the_interpreter_alone_carries_the_state(model, tmp_path):
    """Runs as on a device, without this package, using the names of the signature."""
    import tensorflow as tf

    path = inference.export_stream(model, tmp_path / "model.tflite", "litert")
    runner = tf.lite.Interpreter(str(path)).get_signature_runner()
    state = {
        name: np.zeros(detail["shape"], detail["dtype"])
        for name, detail in runner.get_input_details().items()
        if name != "frames"
    }
    for number in range(FRAMES):
        outputs = runner(frames=CLIPS[:, number : number + 1], **state)
        scores = outputs.pop("scores")
        state = {name.removeprefix("next_"): array for name, array in outputs.items()}
    expected = keras.ops.convert_to_numpy(model(CLIPS))
    assert np.abs(scores - expected).max() <= 1e-5 * np.abs(expected).max()


def test_several_streams_and_frames_of_an_online_tsm(tmp_path):
    model = TSM(
        backbone="mobilenet_v2", input_shape=(4, 32, 32, 3), classes=5, online=True,
        classifier_activation=None,
    )  # fmt: skip
    families.randomize(model)
    path = inference.export_stream(model, tmp_path / "model", streams=2, frames=2)
    stream = inference.load_exported_stream(path)
    clips = np.random.default_rng(0).random((2, 4, 32, 32, 3), "float32")
    stream(clips[:, :2])
    expected = keras.ops.convert_to_numpy(model(clips))
    np.testing.assert_allclose(stream(clips[:, 2:]), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"expected \(streams=2, 2, 32, 32, 3\)"):
        stream(clips[:, :1])


def test_unsupported_options_are_rejected(model, tmp_path):
    with pytest.raises(ValueError, match="'tflite': expected one of"):
        inference.export_stream(model, tmp_path / "model", "tflite")
    with pytest.raises(ValueError, match="expected a name for format='onnx'"):
        inference.export_stream(model, tmp_path / "model", "onnx")
    with pytest.raises(ValueError, match="only with format='litert'"):
        inference.export_stream(model, tmp_path / "model", quantization="int8")
    with pytest.raises(ValueError, match="quantization='int4'"):
        inference.export_stream(model, tmp_path / "m.tflite", "litert", quantization="int4")
    with pytest.raises(ValueError, match="does not classify"):
        base = MoViNet(input_shape=(4, 32, 32, 3))
        inference.export_stream(base, tmp_path / "m.tflite", "litert")
    with pytest.raises(FileNotFoundError):
        inference.load_exported_stream(tmp_path / "nothing.tflite")
