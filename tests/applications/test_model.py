import copy
import pickle

import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.applications.model import VideoModel
from keras_video.applications.preprocessing import decode_predictions

pytestmark = pytest.mark.unit

FACTS = {"row": "some"}


def video_model(classes=3, activation="softmax"):
    inputs = keras.Input((2, 8, 8, 3), name="clip")
    x = keras.layers.GlobalAveragePooling3D()(inputs)
    x = keras.layers.Dense(classes, name="fc_cls")(x)
    return VideoModel(inputs, keras.layers.Activation(activation, name="predictions")(x))


def file_copy(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


@pytest.mark.parametrize(
    "copied",
    [
        lambda model, _: keras.models.clone_model(model),
        lambda model, _: keras.models.clone_model(keras.models.clone_model(model)),
        lambda model, _: keras.models.clone_model(model, clone_function=lambda layer: layer),
        lambda model, _: pickle.loads(pickle.dumps(model)),
        lambda model, _: copy.deepcopy(model),
        lambda model, _: keras.models.model_from_json(model.to_json()),
        file_copy,
    ],
    ids=["clone", "clone of a clone", "shared layers", "pickle", "deepcopy", "json", "file"],
)
def test_copies_keep_classes_and_protocol(copied, tmp_path):
    model = video_model()
    model.class_names, model.preprocessing = ["a", "b", "c"], FACTS
    copy = copied(model, tmp_path)
    assert isinstance(copy, VideoModel)
    assert (copy.class_names, copy.preprocessing) == (["a", "b", "c"], FACTS)
    copy.class_names = None
    assert model.class_names == ["a", "b", "c"]


def test_a_protocol_is_stored_as_the_dictionary_of_its_settings(tmp_path):
    model, protocol = video_model(), zoo.row("i3d_r50_32x2x1_100e_kinetics400_rgb").protocol("test")
    assert model.protocol is None
    model.protocol = protocol
    assert model.preprocessing == protocol.facts()
    copy = file_copy(model, tmp_path)
    assert copy.protocol == protocol
    assert copy.get_config()["preprocessing"] == protocol.facts()
    assert "protocol" not in copy.get_config()
    copy.protocol = None
    assert copy.preprocessing is None
    copy.preprocessing = {"sampling": {"clip_len": "many"}}
    with pytest.raises(ValueError, match=r"preprocessing\.sampling\.clip_len: found 'many'"):
        _ = copy.protocol


def test_a_model_with_other_outputs_has_no_names():
    model = video_model()
    model.class_names = ["a", "b", "c"]
    x = keras.layers.Dense(2)(model.get_layer("fc_cls").output)
    assert VideoModel(model.inputs, x, name=model.name).class_names is None


@pytest.mark.parametrize(
    "names", [("a", "b", "c"), np.array(["a", "b", "c"]), {"a": 1, "b": 2, "c": 3}]
)
def test_names_are_any_sequence(names, tmp_path):
    model = video_model()
    model.class_names = names
    assert file_copy(model, tmp_path).class_names == ["a", "b", "c"]


def test_the_number_of_names_must_match_the_outputs():
    model = video_model()
    with pytest.raises(ValueError, match="received 2 names for a model of 3 outputs, expected 3"):
        model.class_names = ["a", "b"]
    with pytest.raises(ValueError, match="class_names='abc': expected a sequence"):
        model.class_names = "abc"
    assert model.class_names is None


def test_one_output_has_the_names_of_two_classes():
    model = video_model(1, "sigmoid")
    for names in (["no", "yes"], ["yes"]):
        model.class_names = names
        assert model.class_names == names
    with pytest.raises(
        ValueError, match="received 3 names for a model of 1 outputs, expected 1 or 2"
    ):
        model.class_names = ["a", "b", "c"]
    best = decode_predictions(np.array([[0.8], [0.1]]), class_names=["no", "yes"])
    assert [[entry[1] for entry in entries] for entries in best] == [["yes", "no"], ["no", "yes"]]
    assert best[0][1][2] == pytest.approx(0.2)
