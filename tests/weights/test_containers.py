"""Checkpoint containers other than PyTorch files, and the location of their tensors."""

import json
import logging
import pickle
import struct
import sys
import zipfile

import keras
import numpy as np
import pytest

from keras_video.applications import TSN
from keras_video.weights import CheckpointError, read_checkpoint
from keras_video.weights.checkpoint import PICKLED
from tests import torch_files
from tests.modern_reference import save_tensorflow

STATE = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "conv.bias": np.array([0.5, -1], np.float32),
    "steps": np.array(7, np.int64),
}


def assert_read(path, expected=STATE):
    state = read_checkpoint(path)
    assert state.keys() == expected.keys()
    for name, array in state.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name])


def test_npz(tmp_path):
    np.savez(tmp_path / "a.npz", **STATE)
    assert_read(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.NPZ.npz", **STATE)
    assert_read(tmp_path / "b.NPZ.npz")


def test_objects_in_npz_are_rejected(tmp_path):
    np.savez(tmp_path / "a.npz", w=np.array([{}], object))
    with pytest.raises(CheckpointError, match="a.npz: not a readable"):
        read_checkpoint(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", w=np.array(["text"]))
    with pytest.raises(CheckpointError, match="'w' is no array of numbers"):
        read_checkpoint(tmp_path / "b.npz")


def test_npz_bombs_are_rejected(tmp_path):
    path = tmp_path / "a.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("w.npy", "w") as f,
    ):
        header = np.lib.format.header_data_from_array_1_0(np.zeros(1, np.uint8))
        np.lib.format.write_array_header_1_0(f, {**header, "shape": (1 << 29,)})
        for _ in range(512):
            f.write(bytes(1 << 20))
    with pytest.raises(CheckpointError, match="would unpack to"):
        read_checkpoint(path)


def test_tensorflow(tmp_path):
    save_tensorflow(tmp_path / "model.ckpt-7", {**STATE, "save_counter/.A": np.array(1)})
    assert_read(tmp_path / "model.ckpt-7", dict(sorted(STATE.items())))
    assert_read(tmp_path / "model.ckpt-7.index", dict(sorted(STATE.items())))
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/model.ckpt-7"\n')
    assert_read(tmp_path, dict(sorted(STATE.items())))


def test_variables_of_an_object_graph(tmp_path):
    import tensorflow as tf

    saved = tf.train.Checkpoint(model=tf.train.Checkpoint(w=tf.Variable([1.0, 2.0])))
    path = saved.save(tmp_path / "ckpt")
    assert read_checkpoint(path).keys() == {"model/w/.ATTRIBUTES/VARIABLE_VALUE"}


def test_a_damaged_tensorflow_checkpoint_is_reported(tmp_path):
    save_tensorflow(tmp_path / "a", STATE)
    (tmp_path / "a.index").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="a: not a readable TensorFlow checkpoint"):
        read_checkpoint(tmp_path / "a")


def test_blobs_of_caffe2(tmp_path):
    path = tmp_path / "blobs.pkl"
    blobs = {"blobs": {"conv1_w": STATE["conv.weight"], "pred_b": STATE["conv.bias"]}}
    path.write_bytes(pickle.dumps(blobs, 2))
    state = read_checkpoint(path)
    assert state.keys() == {"conv1_w", "pred_b"}
    np.testing.assert_array_equal(state["conv1_w"], STATE["conv.weight"])


def raw_array(values, opcode=b"T"):
    """An array as pickled by Python 2: its bytes are a Python 2 string."""
    raw = values.tobytes()
    kind = values.dtype.str.encode()[1:]
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01"
        + b"("
        + b"".join(b"K" + bytes([size]) for size in values.shape)
        + b"t"
        + b"cnumpy\ndtype\n(U"
        + bytes([len(kind)])
        + kind
        + b"K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + opcode
        + (len(raw).to_bytes(4, "little") if opcode == b"T" else bytes([len(raw)]))
        + raw
        + b"tb"
    )


@pytest.mark.parametrize("values", [STATE["conv.weight"], np.arange(4, dtype=np.int32)])
def test_strings_of_python_2_are_latin_1(tmp_path, values):
    # The second happens to be valid UTF-8.
    path = tmp_path / "blobs.pkl"
    name = b"U\x05conv\xe9"
    path.write_bytes(b"\x80\x02}U\x05blobs}(U\x01w" + raw_array(values) + name + b"K\x01us.")
    np.testing.assert_array_equal(read_checkpoint(path)["w"], values)


NESTS = ["state_dict", "model_state", "model_state_dict", "model", "module", "network", "net"]
NESTS += ["params", "weights", "teacher", "generator", "ema", "ema_state_dict", "model_ema"]
NESTS += ["encoder", "target_encoder", "blobs"]


@pytest.mark.parametrize("nest", NESTS)
def test_the_chosen_nested_state_is_logged(tmp_path, nest, caplog):
    torch_files.save_checkpoint(tmp_path / "a.pth", STATE, nest=nest)
    with caplog.at_level(logging.INFO):
        assert_read(tmp_path / "a.pth")
    assert f"taken from the entry '{nest}'" in caplog.text


def test_deeper_nesting_and_lists_of_states(tmp_path, caplog):
    path = tmp_path / "a.pth"
    torch_files.save_tree(path, {"model": {"state_dict": STATE, "config": {"depth": 3}}})
    assert_read(path)
    torch_files.save_tree(path, {"classifiers": [STATE, STATE]})
    with caplog.at_level(logging.INFO):
        assert_read(path)
    assert "'classifiers', the first of 2" in caplog.text


def test_an_entry_without_tensors_is_not_a_nested_state(tmp_path):
    torch_files.save_tree(tmp_path / "a.pth", {"weights": {"loss": 1.0}, "ema": STATE})
    assert_read(tmp_path / "a.pth")


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("suffix", [*PICKLED, ".PTH"])
def test_weights_opens_every_extension(tmp_path, suffix):
    model = TSN(backbone="resnet18", input_shape=(2, 32, 32, 3), classes=2)
    state = mmaction2_state(model)
    path = tmp_path / f"weights{suffix}"
    torch_files.save_checkpoint(path, state)
    loaded = TSN(backbone="resnet18", input_shape=(2, 32, 32, 3), classes=2, weights=path)
    assert_same_weights(loaded, model)


def test_weights_opens_arrays_and_variables(tmp_path):
    model = TSN(backbone="resnet18", input_shape=(2, 32, 32, 3), classes=2)
    state = mmaction2_state(model)
    np.savez(tmp_path / "weights.npz", **state)
    save_tensorflow(tmp_path / "prefix", state)
    for path in (tmp_path / "weights.npz", tmp_path / "prefix"):
        loaded = TSN(backbone="resnet18", input_shape=(2, 32, 32, 3), classes=2, weights=path)
        assert_same_weights(loaded, model)
    with pytest.raises(FileNotFoundError, match="none.npz"):
        TSN(backbone="resnet18", input_shape=(2, 32, 32, 3), weights=tmp_path / "none.npz")


def mmaction2_state(model):
    """A ResNet-18's weights under MMAction2's names."""
    leaves = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
    leaves |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    state = {}
    for variable in model.weights:
        layer, leaf = variable.path.split("/")
        head = layer == "fc_cls"
        parts = layer if head else layer.replace("_", ".")
        value = keras.ops.convert_to_numpy(variable)
        value = np.moveaxis(value, (-2, -1), (1, 0)) if value.ndim > 1 else value
        prefix = "cls_head" if head else "backbone"
        state[f"{prefix}.{parts}.{leaves[leaf]}"] = np.ascontiguousarray(value)
    return state


def assert_same_weights(model, other):
    for first, second in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


class TestSafetensors:
    """Files written by the safetensors package."""

    @pytest.fixture(autouse=True)
    def package(self):
        self.numpy = pytest.importorskip("safetensors.numpy")

    def test_one_file(self, tmp_path):
        self.numpy.save_file(STATE, tmp_path / "a.safetensors")
        assert_read(tmp_path / "a.safetensors", {name: STATE[name] for name in sorted(STATE)})

    def test_several_files_with_an_index(self, tmp_path):
        shards = {}
        for number, name in enumerate(STATE, 1):
            shards[name] = f"model-{number:05d}-of-00003.safetensors"
            self.numpy.save_file({name: STATE[name]}, tmp_path / shards[name])
        index = tmp_path / "model.safetensors.index.json"
        index.write_text(json.dumps({"metadata": {}, "weight_map": shards}))
        assert_read(index)
        with pytest.raises(CheckpointError, match="read model.safetensors.index.json"):
            read_checkpoint(tmp_path / shards["steps"])
        index.write_text(json.dumps({"weight_map": {**shards, "lost": shards["steps"]}}))
        with pytest.raises(CheckpointError, match="does not hold 'lost'"):
            read_checkpoint(index)
        index.write_text(json.dumps({"weight_map": {"w": "../a.safetensors"}}))
        with pytest.raises(CheckpointError, match="expected a file beside the index"):
            read_checkpoint(index)

    def test_bfloat16_becomes_float32(self, tmp_path):
        header = {"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
        text = json.dumps(header).encode()
        content = struct.pack("<Q", len(text)) + text + struct.pack("<HH", 0x3F80, 0xC040)
        (tmp_path / "a.safetensors").write_bytes(content)
        assert_read(tmp_path / "a.safetensors", {"w": np.array([1, -3], np.float32)})

    def test_damage_is_reported(self, tmp_path):
        (tmp_path / "a.safetensors").write_bytes(b"nothing")
        with pytest.raises(CheckpointError, match=r"a\.safetensors: not a readable"):
            read_checkpoint(tmp_path / "a.safetensors")


def test_without_the_package_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "a.safetensors").write_bytes(b"")
    with pytest.raises(ImportError, match=r"keras-video\[safetensors\]"):
        read_checkpoint(tmp_path / "a.safetensors")


def test_the_average_of_an_encoder_takes_precedence(tmp_path, caplog):
    """V-JEPA 2's files hold both; its repository loads `target_encoder`."""
    state = {"module.backbone.norm.weight": np.zeros(2, "float32")}
    average = {name: array + 1 for name, array in state.items()}
    tree = {"encoder": state, "predictor": {}, "target_encoder": average, "epoch": 3}
    torch_files.save_tree(tmp_path / "vitl.pt", tree)
    with caplog.at_level(logging.INFO):
        loaded = read_checkpoint(tmp_path / "vitl.pt")
    np.testing.assert_array_equal(loaded["module.backbone.norm.weight"], [1, 1])
    assert "from the entry 'target_encoder'" in caplog.text
