import json
import os

import h5py
import keras
import numpy as np
import pytest

from keras_video.applications import I3D, TSM
from keras_video.inference import feature_model
from keras_video.inference.feature_files import feature_store, output_names

CLIPS = np.random.default_rng(0).normal(size=(3, 4, 32, 32, 3)).astype("float32")


@pytest.fixture(scope="module")
def tsm():
    keras.utils.set_random_seed(0)
    return TSM(backbone="mobilenet_v2", classes=5, input_shape=(4, 32, 32, 3))


def test_inputs_of_the_classifier_reproduce_its_logits(tsm):
    features = feature_model(tsm)(CLIPS)
    assert features.shape == (3, 1280)
    assert features.dtype == np.float32
    kernel, bias = tsm.get_layer("fc_cls").get_weights()
    logits = np.log(keras.ops.convert_to_numpy(tsm(CLIPS)))
    ours = features @ kernel + bias
    np.testing.assert_allclose(
        ours - ours.mean(1, keepdims=True), logits - logits.mean(1, keepdims=True), atol=1e-4
    )


def test_a_layer_of_folded_frames_is_unfolded(tsm):
    whole = feature_model(tsm, "layer7_0_conv_2_bn", pooling="none")(CLIPS)
    assert whole.shape[:2] == (3, 4)
    average = feature_model(tsm, "layer7_0_conv_2_bn")(CLIPS, max_views=2)
    np.testing.assert_allclose(average, whole.mean((1, 2, 3)), rtol=1e-4, atol=1e-5)
    highest = feature_model(tsm, "layer7_0_conv_2_bn", "max")(CLIPS)
    np.testing.assert_allclose(highest, whole.max((1, 2, 3)), rtol=1e-4, atol=1e-5)
    alone = feature_model(tsm, "layer7_0_conv_2_bn", pooling="none")(CLIPS[1:2])
    np.testing.assert_allclose(alone[0], whole[1], rtol=1e-3, atol=1e-4)


def test_a_layer_in_space_and_time():
    model = I3D(classes=3, input_shape=(8, 32, 32, 3))
    whole = feature_model(model, "layer1_0_conv1_conv", "none")(CLIPS[:1].repeat(2, 1))
    assert whole.ndim == 5
    average = feature_model(model, "layer1_0_conv1_conv")(CLIPS[:1].repeat(2, 1))
    np.testing.assert_allclose(average, whole.mean((1, 2, 3)), rtol=1e-3, atol=1e-5)


def test_unknown_layers_and_poolings_are_rejected(tsm):
    with pytest.raises(ValueError, match="layer='layer7_0_conv2_bn'.*Close: .*layer7_0_conv_2_bn"):
        feature_model(tsm, "layer7_0_conv2_bn")
    with pytest.raises(ValueError, match="pooling='mean': expected one of avg, max, none"):
        feature_model(tsm, pooling="mean")


@pytest.mark.parametrize("place", ["features", "features.h5"])
def test_stored_features_are_read_and_not_recomputed(tmp_path, place):
    settings = {"row": "a", "layer": None}
    store = feature_store(tmp_path / place, settings)
    store.write("deep/one.mp4", np.ones((2, 3), "float32"))
    again = feature_store(tmp_path / place, settings)
    assert "deep/one.mp4" in again
    assert "two.mp4" not in again
    again.write("two.mp4", np.zeros(3, "float32"))
    again.finish(["deep/one.mp4", "two.mp4"])
    later = feature_store(tmp_path / place, settings)
    assert "deep/one.mp4" in later
    later.write("three.mp4", np.full(1, 3, "float32"))
    later.finish(["three.mp4"])
    assert all(name in later for name in ("deep/one.mp4", "two.mp4", "three.mp4"))
    if place.endswith(".h5"):
        with h5py.File(tmp_path / place) as file:
            read = {name: file[name][()] for name in ("deep/one.mp4", "two.mp4", "three.mp4")}
            assert json.loads(file.attrs["settings"]) == settings
        assert [path.name for path in tmp_path.iterdir()] == [place]
    else:
        read = {name: later.read(name) for name in ("deep/one.mp4", "two.mp4", "three.mp4")}
    np.testing.assert_array_equal(read["deep/one.mp4"], np.ones((2, 3)))
    np.testing.assert_array_equal(read["three.mp4"], [3])
    with pytest.raises(ValueError, match=f"{place}.* has features of layer=None, now layer='x'"):
        feature_store(tmp_path / place, {**settings, "layer": "x"})


@pytest.mark.parametrize("place", ["features", "features.h5"])
def test_an_interruption_leaves_no_partial_file(tmp_path, place, monkeypatch):
    store = feature_store(tmp_path / place, {})
    store.write("one", np.ones(3))

    def save(file, features):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", save)
    with pytest.raises(KeyboardInterrupt):
        store.write("two", np.ones(3))
    again = feature_store(tmp_path / place, {})
    assert "one" in again
    assert "two" not in again
    assert not (tmp_path / "features.h5").exists()
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("place", ["features", "features.h5"])
def test_names_that_are_not_utf8_are_preserved(tmp_path, place):
    names = ["a/caf\udce9.mp4", "b\n.mp4", " c .mp4", "d\u00e9.mp4"]
    for part in (names[:2], names[2:]):
        store = feature_store(tmp_path / place, {})
        for name in part:
            store.write(name, np.full(2, names.index(name), "float32"))
        store.finish(part)
    store = feature_store(tmp_path / place, {})
    assert all(name in store for name in names)
    if place == "features":
        assert [store.read(name)[0] for name in names] == [0, 1, 2, 3]
        return
    with h5py.File(tmp_path / place) as file:
        assert [file[os.fsencode(name)][0] for name in names] == [0, 1, 2, 3]


def test_features_have_the_video_names_of_the_list(tmp_path):
    root, store = tmp_path / "d", tmp_path / "store"
    store.mkdir()
    (store / "blob").touch()
    for link in ("a/1.mp4", "b/2.mp4"):
        (root / link).parent.mkdir(parents=True)
        (root / link).symlink_to(store / "blob")
    paths = [root / "a" / "1.mp4", root / "b" / ".." / "b" / "2.mp4", root / "a" / "1.mp4"]
    assert list(output_names(paths, root)) == ["a/1.mp4", "b/2.mp4"]
    (tmp_path / "alias").symlink_to(root)
    assert list(output_names([root / "a" / "1.mp4"], tmp_path / "alias")) == ["a/1.mp4"]
    assert list(output_names([store / "blob"], root)) == [(store / "blob").as_posix()[1:]]


def test_two_videos_with_the_same_name_are_an_error(tmp_path):
    outside, root = tmp_path / "x.mp4", tmp_path / "d"
    root.mkdir()
    name = outside.as_posix()[1:]
    with pytest.raises(ValueError, match=f"whose features would both be called '{name}'"):
        output_names([outside, root / name], root)
