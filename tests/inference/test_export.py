import importlib.util
import json
import sys

import keras
import numpy as np
import pytest

from keras_video import applications, inference
from tests.applications import families

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="models are exported with TensorFlow"
)

HAS_ONNX = all(importlib.util.find_spec(name) for name in ("onnx", "tf2onnx", "onnxruntime"))
needs_onnx = pytest.mark.skipif(not HAS_ONNX, reason="needs the extra 'onnx'")
HAS_OPENVINO = HAS_ONNX and importlib.util.find_spec("openvino") is not None
needs_openvino = pytest.mark.skipif(not HAS_OPENVINO, reason="needs the extra 'openvino'")
NAMES = {"tf_saved_model": "model", "onnx": "model.onnx", "litert": "model.tflite"}
all_formats = pytest.mark.parametrize(
    "format", ["tf_saved_model", pytest.param("onnx", marks=needs_onnx), "litert"]
)
CLASSES = ["jump", "run", "sit", "stand", "walk"]
PREPROCESSING = {"sampling": {"clip_len": 4}, "normalize": {"mean": [1.5, 2.0, 3.0]}}


@pytest.fixture
def exported(tmp_path, format, name):
    """A file of a small model, the model, and clips for it."""
    model = families.shared(name)
    model.class_names, model.preprocessing = CLASSES, PREPROCESSING
    return inference.export_model(model, tmp_path / NAMES[format], format)


@pytest.mark.slow(every_change=True)
@all_formats
@pytest.mark.parametrize("name", ["c3d", "slowfast", "timesformer"])
def test_the_file_computes_what_the_model_does(exported, name):
    run, model = inference.load_exported(exported), families.shared(name)
    for batch in (1, 3):
        clips = families.clips(name, batch)
        expected = keras.ops.convert_to_numpy(model(clips))
        np.testing.assert_allclose(run(clips), expected, atol=1e-4 * np.abs(expected).max())


@all_formats
@pytest.mark.parametrize("name", ["timesformer"])
def test_the_file_describes_its_preprocessing(exported, name):
    facts = inference.read_metadata(exported)
    assert facts["class_names"] == CLASSES
    assert facts["preprocessing"] == PREPROCESSING
    assert facts["inputs"] == {"clip": {"shape": [None, 4, 32, 32, 3], "dtype": "float32"}}
    assert facts["model"] == "timesformer"


@pytest.mark.slow(every_change=True)
@all_formats
@pytest.mark.parametrize("name", ["timesformer"])
def test_outputs_are_scores_or_features(tmp_path, format, name):
    scores = inference.export_model(families.shared(name), tmp_path / NAMES[format], format)
    assert inference.read_metadata(scores)["outputs"] == ["scores"]
    features = inference.feature_model(families.shared(name))
    model = features if isinstance(features, keras.Model) else features.model
    path = inference.export_model(model, tmp_path / "other" / NAMES[format], format)
    assert inference.read_metadata(path)["outputs"] == ["features"]
    clips = families.clips(name)
    expected = keras.ops.convert_to_numpy(model(clips))
    np.testing.assert_allclose(inference.load_exported(path)(clips), expected, atol=1e-4)


@pytest.mark.parametrize(("name", "format"), [("tsn", "tf_saved_model")])
def test_a_saved_model_stores_weights_once(exported, name):
    import tensorflow as tf

    weights = sum(4 * int(np.prod(w.shape)) for w in families.shared(name).weights)
    stored = sum(file.stat().st_size for file in (exported / "variables").iterdir())
    assert weights < stored < 1.05 * weights
    assert (exported / "saved_model.pb").stat().st_size < 0.1 * weights  # nor constants
    signature = tf.saved_model.load(str(exported)).signatures["serving_default"]
    assert list(signature.structured_outputs) == ["scores"]
    assert list(signature.structured_input_signature[1]) == ["clip"]


@needs_onnx
@pytest.mark.parametrize(("name", "format"), [("timesformer", "onnx")])
def test_onnx_names_inputs_outputs_and_the_batch_dimension(exported):
    import onnx

    graph = onnx.load(exported).graph
    for value, name in zip((*graph.input, *graph.output), ("clip", "scores"), strict=True):
        dims = value.type.tensor_type.shape.dim
        assert (value.name, dims[0].dim_param) == (name, "batch")
        assert all(dim.dim_value for dim in dims[1:])


@needs_onnx
@pytest.mark.parametrize(("name", "format"), [("timesformer", "onnx")])
def test_onnx_runtime_also_exposes_the_metadata(exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map["keras_video.json"]
    assert json.loads(facts)["class_names"] == CLASSES


@needs_onnx
@pytest.mark.parametrize("name", ["slowonly", "csn", "x3d"])
def test_onnx_changes_the_layout_of_convolutions_once_and_pads_in_them(tmp_path, name):
    import onnx

    path = inference.export_model(families.shared(name), tmp_path / "model.onnx", "onnx")
    nodes = onnx.load(path).graph.node
    assert sum(node.op_type == "Transpose" for node in nodes) == 1
    assert not any(node.op_type == "Pad" for node in nodes)
    groups = {
        item.i
        for node in nodes
        if node.op_type == "Conv"
        for item in node.attribute
        if item.name == "group"
    }
    assert (max(groups) > 1) == (name != "slowonly")
    clips = families.clips(name)
    expected = families.shared(name).predict(clips, verbose=0)
    np.testing.assert_allclose(inference.load_exported(path)(clips), expected, atol=1e-5)


# Families that runtimes need in a special form or have rejected; all others are slow tests.
SPECIAL = ("tin", "tsm", "x3d")


@needs_openvino
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in SPECIAL else pytest.mark.slow)
     for name in sorted(families.ALL)],
)  # fmt: skip
def test_openvino_reads_onnx_files_with_any_number_of_clips(tmp_path, name):
    import openvino

    model = families.shared(name)
    path = inference.export_model(model, tmp_path / "model.onnx", "onnx")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}  # not rounded on CPUs with bfloat16
    run = openvino.Core().compile_model(str(path), "CPU", exact)
    for batch in (1, 3):
        clips = families.clips(name, batch)
        expected = model.predict(clips, verbose=0)
        np.testing.assert_allclose(run(clips)[0], expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(("name", "format"), [("timesformer", "litert")])
def test_litert_files_have_no_flex_operations(exported):
    assert b"Flex" not in exported.read_bytes()


@pytest.mark.parametrize("name", ["timesformer"])
@pytest.mark.parametrize("format", ["tf_saved_model"])
def test_a_fixed_batch_is_in_the_signature(tmp_path, name, format):
    path = inference.export_model(families.shared(name), tmp_path / "model", format, batch_size=2)
    assert inference.read_metadata(path)["inputs"]["clip"]["shape"][0] == 2
    run = inference.load_exported(path)
    assert run(families.clips(name)).shape == (2, 5)
    with pytest.raises(Exception, match="2,4,32,32,3|shape"):
        run(families.clips(name, 3))


def test_unsupported_options_are_rejected(tmp_path):
    model = families.shared("timesformer")
    with pytest.raises(ValueError, match="'tflite': expected one of"):
        inference.export_model(model, tmp_path / "model", "tflite")
    with pytest.raises(ValueError, match="model.bin.*ends in .onnx"):
        inference.export_model(model, tmp_path / "model.bin", "onnx")
    with pytest.raises(ValueError, match="model.onnx.*'tf_saved_model'"):
        inference.export_model(model, tmp_path / "model.onnx")
    with pytest.raises(FileNotFoundError, match="nothing.onnx"):
        inference.read_metadata(tmp_path / "nothing.onnx")
    with pytest.raises(FileNotFoundError, match="nothing.onnx"):
        inference.load_exported(tmp_path / "nothing.onnx")
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="model.bin: expected"):
        inference.load_exported(tmp_path / "model.bin")
    (tmp_path / "strange.tflite").write_bytes(b"strange")
    with pytest.raises(ValueError, match="not written by export_model"):
        inference.read_metadata(tmp_path / "strange.tflite")


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"keras-video\[onnx\]"):
        inference.export_model(families.shared("timesformer"), tmp_path / "model.onnx", "onnx")


@pytest.mark.slow
@needs_onnx
@pytest.mark.parametrize("name", sorted(families.ALL))
def test_every_family_in_every_format(name, monkeypatch):
    from tests.test_benchmarks import BENCHMARKS

    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import export_table

    cells = [export_table.cell(name, format) for format in inference.EXPORT_FORMATS]
    assert all(equal for _, equal in cells), cells


# Peak memory and time of a process that only exports a model.
EXPORT = """
import json, resource, sys, time
import numpy as np
from keras_video import applications, inference
name, format, path = sys.argv[1:]
model = getattr(applications, name)()
begin = time.monotonic()
inference.export_model(model, path, format)
facts = {"seconds": time.monotonic() - begin}
facts["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
facts["weights"] = 4 * model.count_params()
clip = np.random.default_rng(0).normal(size=(1, *model.input_shape[1:])).astype("float32")
outputs, expected = inference.load_exported(path)(clip), model.predict_on_batch(clip)
facts["difference"] = float(np.abs(outputs - expected).max() / np.abs(expected).max())
print(json.dumps(facts))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "format",
    [
        "tf_saved_model",
        pytest.param("onnx", marks=needs_onnx),
        pytest.param(
            "litert",
            marks=pytest.mark.xfail(reason="TensorFlow's converter holds 4 to 6 copies by itself"),
        ),
    ],
)
@pytest.mark.parametrize("name", ["C3D", "TimeSformer"])
def test_full_size_networks_take_little_memory_and_time(tmp_path, name, format):
    import subprocess

    result = subprocess.run(
        [sys.executable, "-c", EXPORT, name, format, str(tmp_path / NAMES[format])],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    facts = json.loads(result.stdout.splitlines()[-1])
    assert facts["difference"] < 1e-4
    assert facts["peak"] <= 4 * facts["weights"] + 2**30, facts
    assert facts["seconds"] <= 60, facts


@needs_onnx
@pytest.mark.parametrize("name", ["c3d", "timesformer"])
def test_onnx_has_large_weights_as_constants_in_their_final_form(name, tmp_path, monkeypatch):
    import onnx

    from keras_video.inference import onnx_files

    monkeypatch.setattr(onnx_files, "LARGE", 1 << 8)
    path = inference.export_model(families.shared(name), tmp_path / "model.onnx", "onnx")
    graph = onnx.load(path).graph
    assert [value.name for value in graph.input] == ["clip"]
    weights = {tensor.name for tensor in graph.initializer}
    large = [w for w in graph.initializer if w.raw_data and np.prod(w.dims) >= 1 << 8]
    assert len(large) >= 5
    for node in graph.node:
        if node.op_type in ("Transpose", "Reshape", "Squeeze", "Identity"):
            assert node.input[0] not in weights, node
    onnx.checker.check_model(str(path), full_check=True)
    clips = families.clips(name)
    expected = keras.ops.convert_to_numpy(families.shared(name)(clips))
    outputs = inference.load_exported(path)(clips)
    np.testing.assert_allclose(outputs, expected, atol=1e-4 * np.abs(expected).max())


@needs_onnx
def test_onnx_weights_of_two_gigabytes_are_stored_next_to_the_graph(tmp_path, monkeypatch):
    import onnx

    from keras_video.inference import onnx_files

    monkeypatch.setattr(onnx_files, "LARGE", 1 << 8)
    model, clips = families.shared("c3d"), families.clips("c3d")
    whole = inference.export_model(model, tmp_path / "whole.onnx", "onnx")
    assert not (tmp_path / "whole.onnx.data").exists()
    monkeypatch.setattr(onnx_files, "MOST_BYTES", 1 << 12)  # simulates the limit of 2 GiB
    (tmp_path / "apart").mkdir()
    path = inference.export_model(model, tmp_path / "apart" / "model.onnx", "onnx")
    (tmp_path / "apart").rename(tmp_path / "moved")
    path = tmp_path / "moved" / "model.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    weights = onnx.load(path, load_external_data=False).graph.initializer
    locations = [{entry.key: entry.value for entry in weight.external_data} for weight in weights]
    offsets = [int(entry["offset"]) for entry in locations if entry]
    assert len(offsets) >= 5 and not any(offset % 4096 for offset in offsets)
    np.testing.assert_array_equal(
        inference.load_exported(path)(clips), inference.load_exported(whole)(clips)
    )
    assert inference.read_metadata(path) == inference.read_metadata(whole)


@needs_onnx
def test_onnx_computes_the_attention_masks_of_windows(tmp_path, monkeypatch):
    import onnx

    from keras_video.inference import onnx_files

    model = applications.Swin3D(
        input_shape=(8, 64, 64, 3), embed_dim=8, depths=(2,), num_heads=(1,), patch_size=(2, 2, 2),
        window_size=(2, 4, 4), classes=3,
    )  # fmt: skip
    monkeypatch.setattr(onnx_files, "LARGE", 1 << 8)
    path = inference.export_model(model, tmp_path / "model.onnx", "onnx")
    stored = [int(np.prod(tensor.dims)) for tensor in onnx.load(path).graph.initializer]
    # The regions of 128 windows of 32 positions; their mask would have 128 x 32 x 32 pairs.
    assert max(stored) == 128 * 32
    clips = np.random.default_rng(0).normal(size=(2, 8, 64, 64, 3)).astype("float32")
    expected = model.predict_on_batch(clips)
    outputs = inference.load_exported(path)(clips)
    np.testing.assert_allclose(outputs, expected, atol=1e-4 * np.abs(expected).max())


@needs_onnx
def test_onnx_keeps_attention_in_one_piece(tmp_path, monkeypatch):
    import onnx

    from keras_video.layers import attention

    model = families.shared("videomae")
    tokens = next(layer for layer in model.layers if hasattr(layer, "attn")).input.shape[1]
    monkeypatch.setattr(attention, "SCORES_IN_CACHE", tokens)
    assert attention.number_of_parts(tokens * tokens) > 1
    path = inference.export_model(model, tmp_path / "model.onnx", "onnx")
    softmaxes = [node for node in onnx.load(path).graph.node if node.op_type == "Softmax"]
    assert len(softmaxes) == sum(hasattr(layer, "attn") for layer in model.layers)
    assert attention.number_of_parts(tokens * tokens) > 1
