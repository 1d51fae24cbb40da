import zipfile

import h5py
import keras
import numpy as np
import pytest

from keras_video.applications.model import VideoModel
from keras_video.training.saving import save_model


def fitted(optimizer, kind=VideoModel):
    inputs = keras.Input((16,))
    x = keras.layers.Dense(64, name="fc_cls")(inputs)
    model = kind(inputs, keras.layers.Activation("softmax", name="predictions")(x))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["acc"], jit_compile=False)
    model.fit(np.ones((4, 16)), np.zeros(4), verbose=0)
    return model


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("kind", [VideoModel, keras.Model])
def test_the_optimizer_is_not_saved_and_stays_with_the_model(optimizer, kind, tmp_path):
    model = fitted(optimizer, kind)
    own = model.optimizer
    save_model(model, tmp_path / "model.keras")
    assert model.optimizer is own and model.compiled
    model.fit(np.ones((4, 16)), np.zeros(4), verbose=0)  # training continues as before
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        archive.extract("model.weights.h5", tmp_path)
    with h5py.File(tmp_path / "model.weights.h5") as file:
        names = []
        file.visit(names.append)
    assert not [name for name in names if "optimizer" in name]


def test_a_saved_model_loads_without_warnings(tmp_path, recwarn):
    model = fitted("adam")
    save_model(model, tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is VideoModel and not loaded.compiled
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    assert not [warning for warning in recwarn if "optimizer" in str(warning.message)]


def test_the_file_has_the_size_of_the_weights(tmp_path):
    inputs = keras.Input((512,))
    x = keras.layers.Dense(512, name="fc_cls")(inputs)
    model = VideoModel(inputs, keras.layers.Activation("softmax", name="predictions")(x))
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(np.ones((2, 512)), np.zeros(2), verbose=0)
    save_model(model, tmp_path / "model.keras")
    model.save(tmp_path / "whole.keras")
    size, whole = ((tmp_path / name).stat().st_size for name in ("model.keras", "whole.keras"))
    assert size < 1.1 * 4 * model.count_params() and whole > 2.5 * size


def test_a_failure_leaves_the_model_compiled(tmp_path, monkeypatch):
    model = fitted("sgd")

    def fails(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(model, "save", fails)
    with pytest.raises(OSError, match="disk full"):
        save_model(model, tmp_path / "model.keras")
    assert model.compiled and model.optimizer is not None
