"""Keras files with references to other files are rejected before Keras opens them."""

import contextlib
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_video import applications, weights
from keras_video.applications.model import VideoModel
from keras_video.applications.pretrained import load_file, load_initial_file
from keras_video.layers.convolution import MaxPooling
from keras_video.weights.hdf5 import check_hdf5
from keras_video.weights.keras_files import check_keras_file
from tests.weights.hostile_keras import hostile_hdf5, lambda_entry, rewrite, with_layer

pytestmark = pytest.mark.unit

HDF5_KINDS = ("soft", "external", "dangling", "storage", "virtual", "bomb", "packed")
HDF5_KINDS += ("text", "reference")
REFUSED = weights.UnsafeFileError


@pytest.fixture(scope="module")
def model():
    return small()


def small():
    clip = keras.Input((4, 4, 4, 3), name="clip")
    x = MaxPooling((2, 2, 2), (2, 2, 2), (0, 0, 0), name="pool")(clip)
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(3, name="fc_cls")(x)
    built = VideoModel(clip, keras.layers.Activation("softmax", name="predictions")(x))
    built.class_names = ["a", "b", "c"]
    return built


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keras_files")
    model.save(folder / "good.keras")
    model.save_weights(folder / "good.weights.h5")
    return folder


@pytest.fixture(scope="module")
def hostile(folder):
    return hostile_hdf5(folder, folder / "good.weights.h5")


@contextlib.contextmanager
def opened_files():
    """Collects the files that are opened."""
    opened, active = [], [True]

    def hook(event, arguments):
        if active and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(hook)
    try:
        yield opened
    finally:
        active.clear()


def test_good_files_are_loaded(model, folder):
    loaded = weights.load_model(folder / "good.keras")
    assert loaded.class_names == ["a", "b", "c"]
    for first, second in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    for load in (load_file, load_initial_file):
        for name in ("good.keras", "good.weights.h5")[: 2 if load is load_file else 1]:
            other = small()
            load(other, folder / name)
            np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_a_recompressed_file_is_loaded(model, folder, tmp_path):
    path = rewrite(folder / "good.keras", tmp_path / "m.keras", compression=zipfile.ZIP_DEFLATED)
    loaded = weights.load_model(path)
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_uncompressed_weights_are_inspected_in_place(folder, monkeypatch):
    # Seeking backward in a zip file rereads everything, which dominated the loading time.
    monkeypatch.setattr(zipfile.ZipExtFile, "seek", lambda *_: pytest.fail("zip was to go back"))
    check_keras_file(folder / "good.keras")


def test_weights_of_bfloat16_are_loaded(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, dtype="bfloat16")])
    model.save_weights(tmp_path / "m.weights.h5")
    weights.load_weights(model, tmp_path / "m.weights.h5")


def test_a_compiled_model_is_loaded_compiled(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu")])
    model.compile("adam", keras.losses.MeanSquaredError(), metrics=["mae"])
    model.save(tmp_path / "m.keras")
    assert getattr(weights.load_model(tmp_path / "m.keras"), "optimizer", None) is None
    assert weights.load_model(tmp_path / "m.keras", compile=True).optimizer.name == "adam"


def test_custom_layers_are_loaded_if_registered(tmp_path):
    @keras.saving.register_keras_serializable("somebody")
    class Own(keras.layers.Layer):
        def call(self, x):
            return x

    model = keras.Sequential([keras.Input((3,)), Own()])
    model.save(tmp_path / "m.keras")
    weights.load_model(tmp_path / "m.keras")
    del keras.saving.get_custom_objects()["somebody>Own"]
    with pytest.raises(REFUSED, match=r"Own.*registered in this process \(import the code"):
        weights.load_model(tmp_path / "m.keras")


@pytest.mark.parametrize("kind", HDF5_KINDS)
def test_weights_with_external_references_are_rejected(model, hostile, kind):
    path = hostile[kind]
    before = model.get_weights()
    with opened_files() as opened, pytest.raises(REFUSED, match=r"deep/down/other") as caught:
        weights.load_weights(model, path)
    assert str(path) in str(caught.value)
    assert not [name for name in opened if "secret" in name]
    with pytest.raises(REFUSED, match=r"deep/down/other"):
        load_file(model, path)
    for first, second in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", HDF5_KINDS)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_models_whose_weights_have_external_references_are_rejected(
    folder, hostile, kind, compression, tmp_path
):
    path = rewrite(
        folder / "good.keras",
        tmp_path / "m.keras",
        weights=hostile[kind],
        compression=compression,
    )
    with pytest.raises(REFUSED, match=r"m\.keras/model\.weights\.h5: '/layers/deep/down/other'"):
        weights.load_model(path)


def test_circular_links_terminate(tmp_path):
    with h5py.File(tmp_path / "circle.h5", "w") as file:
        file["a/b"] = np.zeros(3)
        file["a/again"] = file["a"]
        file["root"] = file["/"]
    check_hdf5(str(tmp_path / "circle.h5"), "circle.h5")


@pytest.mark.parametrize("content", [b"", b"junk" * 100, b"\x89HDF\r\n\x1a\n" + b"\xff" * 600])
def test_damaged_weights_are_reported(model, tmp_path, content):
    path = tmp_path / "damaged.weights.h5"
    path.write_bytes(content)
    with pytest.raises(REFUSED, match="damaged.*expected an HDF5 file of weights"):
        weights.load_weights(model, path)


def tfsm_entry(folder):
    config = {"filepath": str(folder / "saved"), "call_endpoint": "serve", "trainable": False}
    return {"module": "keras.layers", "class_name": "TFSMLayer", "config": config}


def entry(module, name, config=None, registered=None):
    return {
        "module": module,
        "class_name": name,
        "config": config or {},
        "registered_name": registered,
    }


def hostile_entries(folder):
    """`{kind: entry of a layer}`."""
    lambda_layer = lambda_entry(folder / "it_ran")
    function = lambda_layer["config"]["function"]
    vocabulary = {"vocabulary": str(folder / "secret.bin")}
    return {
        "lambda": lambda_layer,
        "lambda without module": {k: v for k, v in lambda_layer.items() if k != "module"},
        "lambda by another name": {**lambda_layer, "module": "keras.src.layers.core.lambda_layer"},
        "lambda as a known class": {
            **{key: value for key, value in lambda_layer.items() if key != "module"},
            "registered_name": "keras_video>MaxPooling",
        },
        "lambda in an argument": entry("keras.layers", "Activation", {"activation": function}),
        "tfsm": tfsm_entry(folder),
        "tfsm where it is": {**tfsm_entry(folder), "module": "keras.src.export.tfsm_layer"},
        "torch": entry("keras.layers", "TorchModuleWrapper", {"module": "x"}),
        "jax": entry("keras.layers", "JaxLayer"),
        "lookup": entry("keras.layers", "StringLookup", vocabulary),
        "text": entry("keras.layers", "TextVectorization", vocabulary),
        "nested": entry("keras.layers", "TimeDistributed", {"layer": lambda_layer}),
        "deep": entry("keras.layers", "Bidirectional", {"a": [[{"b": tfsm_entry(folder)}]]}),
        "unknown package": entry("evil_package.layers", "Layer", {}, "Evil>Layer"),
        "os": entry("os", "system", {}),
        "utility": entry("keras.utils", "get_file", {"origin": "http://127.0.0.1/x"}),
        "loader": entry("keras.models", "load_model", {"filepath": "x.keras"}),
        "private": entry("keras.src.saving.saving_lib", "H5IOStore", {"path_or_io": "x"}),
        "type": entry("keras.layers", "__lambda__", {}),
        "typespec": {**entry("tensorflow", "__typespec__", {}), "spec_name": "x"},
        "no text": entry("keras.layers", ["Dense"]),
    }


HOSTILE_ENTRIES = sorted(hostile_entries(__import__("pathlib").Path("x")))


@pytest.mark.parametrize("kind", HOSTILE_ENTRIES)
def test_classes_that_run_code_or_read_files_are_rejected(folder, hostile, kind, tmp_path):
    change = with_layer(hostile_entries(folder)[kind])
    path = rewrite(folder / "good.keras", tmp_path / "m.keras", config=change)
    modules = set(sys.modules)
    with opened_files() as opened, pytest.raises(REFUSED, match=r"m\.keras: .*expected"):
        weights.load_model(path)
    assert not (folder / "it_ran").exists()
    assert not [name for name in opened if "secret" in name or "saved" in name]
    assert not {name for name in sys.modules if name not in modules and "evil" in name}


@pytest.mark.parametrize("module", ["keras.models", "keras.saving", "builtins", "os", None])
@pytest.mark.parametrize("function", ["load_model", "get_file", "system", "deserialize", "a.b"])
def test_functions_that_are_not_activations_are_rejected(folder, tmp_path, module, function):
    named = {"class_name": "function", "config": function, "module": module}
    change = with_layer(entry("keras.layers", "Activation", {"activation": named}))
    path = rewrite(folder / "good.keras", tmp_path / "m.keras", config=change)
    with pytest.raises(REFUSED, match=f"'{function}'.*expected a function"):
        check_keras_file(path)


def test_the_malicious_layers_do_run_without_checks(folder):
    # The files that these tests reject would do harm otherwise: the payloads work.
    layer = keras.saving.deserialize_keras_object(lambda_entry(folder / "mark"), safe_mode=False)
    layer(np.zeros((1, 2)))
    assert (folder / "mark").is_dir()


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "/tmp/evil.py",
        "assets/vocabulary.txt",
        "model.weights.npz",
        "x",
        "CONFIG.json",
    ],
)
def test_unexpected_parts_are_rejected(folder, tmp_path, name):
    path = rewrite(folder / "good.keras", tmp_path / "m.keras", extra=[(name, b"x")])
    with pytest.raises(REFUSED, match=f"received the part '{name}', expected metadata.json, con"):
        weights.load_model(path)
    assert [file.name for file in tmp_path.iterdir()] == ["m.keras"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_duplicate_parts_are_rejected(folder, tmp_path, name):
    path = rewrite(folder / "good.keras", tmp_path / "m.keras", extra=[(name, b"x")])
    with pytest.raises(REFUSED, match=f"received the part '{name}', expected .* each once"):
        weights.load_model(path)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_missing_parts_are_reported(folder, tmp_path, name):
    path = rewrite(folder / "good.keras", tmp_path / "m.keras", drop=[name])
    with pytest.raises(REFUSED, match=f"received no part {name}"):
        weights.load_model(path)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_decompression_bombs_are_rejected(folder, tmp_path, name):
    path = rewrite(
        folder / "good.keras",
        tmp_path / "m.keras",
        drop=[name],
        extra=[(name, bytes(1 << 27))],
        compression=zipfile.ZIP_DEFLATED,
    )
    with pytest.raises(REFUSED, match=f"{name} is of {1 << 27} bytes"):
        weights.load_model(path)


@pytest.mark.parametrize("text", ["{", "[" * 200_000, "\xff", "{}x"])
def test_a_config_that_is_not_json_is_reported(folder, tmp_path, text):
    extra = [("config.json", text.encode("latin-1"))]
    path = rewrite(folder / "good.keras", tmp_path / "m.keras", drop=["config.json"], extra=extra)
    with pytest.raises(REFUSED, match="expected JSON in config.json"):
        weights.load_model(path)


def test_a_file_that_is_not_a_keras_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.keras"):
        weights.load_model(tmp_path / "nothing.keras")
    (tmp_path / "m.keras").write_bytes(b"PK\x03\x04junk")
    with pytest.raises(REFUSED, match="m.keras: expected a .keras file"):
        weights.load_model(tmp_path / "m.keras")
    (tmp_path / "m.h5").write_bytes(b"")
    with pytest.raises(ValueError, match="m.h5', expected a .keras file"):
        weights.load_model(tmp_path / "m.h5")
    with pytest.raises(FileNotFoundError, match="hf:/"):
        weights.load_model("hf://somebody/model")


@pytest.mark.parametrize(
    ("key", "value"), [("num_clips", 10**7), ("clip_len", 10**6), ("num_sample_positions", -1)]
)
@pytest.mark.parametrize("load", [weights.load_model, keras.models.load_model])
def test_sizes_that_would_exhaust_memory_are_rejected(folder, tmp_path, key, value, load):
    def change(config):
        config["config"]["preprocessing"] = {"sampling": {key: value}}

    path = rewrite(folder / "good.keras", tmp_path / "m.keras", config=change)
    with pytest.raises(ValueError, match=rf"preprocessing\.sampling\.{key}: found {value}, exp"):
        load(path)


def test_the_package_opens_keras_files_only_here():
    from pathlib import Path

    root = Path(applications.__file__).parents[1]
    matches = [
        str(path.relative_to(root.parent))
        for folder in (root, root.parent / "recipes")
        for path in folder.rglob("*.py")
        if any(f".{name}(" in path.read_text() for name in ("load_model", "load_weights"))
    ]
    assert matches == ["keras_video/weights/keras_files.py"]
