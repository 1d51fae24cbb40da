"""From rows to constructor calls."""

import dataclasses
import json
import math
import sys
import types

import pytest

import keras_video
from keras_video import zoo

pytestmark = pytest.mark.unit


class Recorder:
    """Stand-in for a model that records the arguments it was built with."""

    def __init__(self, arguments, protocol=None):
        self.arguments = arguments
        self.protocol = protocol
        self.class_names = None
        self.loaded = None

    @property
    def preprocessing(self):
        return self.protocol and self.protocol.facts()


@pytest.fixture
def constructors(monkeypatch):
    """Replaces `keras_video.applications` with constructors that record their arguments."""
    module = types.SimpleNamespace(
        **{
            name: lambda **arguments: Recorder(arguments)
            for name in {row.constructor for row in zoo.rows() if row.constructor}
        }
    )
    module.pretrained = types.SimpleNamespace(
        load_row=lambda model, row: setattr(model, "loaded", row)
    )
    monkeypatch.setitem(sys.modules, "keras_video.applications", module)
    monkeypatch.setattr(keras_video, "applications", module, raising=False)
    return module


def test_call_of_every_row(constructors):
    for row in (*zoo.rows(), *zoo.rows(kind="unlisted")):
        if row.constructor is None:
            continue
        model = row.model()
        expected = {**row.arguments, "input_shape": row.input_shape, "weights": None}
        if row.classes is not None:
            expected["classes"] = row.classes
        assert model.arguments == expected
        assert model.protocol == row.protocol("test") == row.preprocessing()
        assert model.class_names == row.class_names
        assert model.loaded is None


def test_overrides(constructors):
    row = zoo.row("t41_r00")
    model = row.model(classes=5, classifier_activation=None, name="small")
    assert model.arguments["classes"] == 5 and model.arguments["name"] == "small"
    assert model.arguments["classifier_activation"] is None
    assert model.class_names is None
    assert row.model(include_top=False).class_names is None


def test_class_names_determine_the_number_of_classes(constructors):
    row = zoo.row("t41_r00")
    for names in (["jump", "run"], ("jump", "run")):
        model = row.model(classes=names)
        assert model.arguments["classes"] == 2 and model.class_names == ["jump", "run"]
    model = row.model(weights=True, classes=["jump", "run"])
    assert model.loaded is row and model.class_names == ["jump", "run"]
    with pytest.raises(ValueError, match="classes='jump': expected their number, or a list"):
        row.model(classes="jump")
    with pytest.raises(ValueError, match=r"classes=\[1, 2\]: expected their number, or a list"):
        row.model(classes=[1, 2])
    with pytest.raises(ValueError, match="have no effect with include_top=False"):
        row.model(classes=["jump"], include_top=False)


def test_segments_and_frames_stay_equal(constructors):
    row = zoo.row("t30_r00")
    assert row.model(segments=16).arguments["input_shape"] == (16, 224, 224, 3)
    assert row.model(input_shape=(4, 112, 112, 3)).arguments["segments"] == 4
    assert row.model(input_shape=(None, 112, 112, 3)).arguments["segments"] == 8
    both = row.model(input_shape=(4, 112, 112, 3), segments=8).arguments
    assert both["segments"] == 8 and both["input_shape"][0] == 4
    assert "segments" not in zoo.row("t02_r00").model(input_shape=(8, 64, 64, 3)).arguments


def test_weights_of_a_row(constructors):
    for identity, owner in (("t41_r00", "t41_r00"), ("t43_r01", "t43_r00")):
        model = zoo.row(identity).model(weights=True)
        assert model.arguments["weights"] is None
        assert model.loaded is zoo.row(owner)
        assert model.protocol == zoo.row(identity).protocol("test")
    assert zoo.row("t41_r00").model(weights="imagenet").arguments["weights"] == "imagenet"
    assert zoo.row("t41_r00").model(weights=False).arguments["weights"] is None
    with pytest.raises(ValueError, match="no weights are published for u12"):
        zoo.row("u12").model(weights=True)


def test_other_weights_keep_their_preprocessing(constructors):
    loaded = zoo.row("t53_r00").protocol("test")
    constructors.TSN = lambda **arguments: Recorder(arguments, loaded)
    assert zoo.row("t41_r00").model(weights="t53_r00").protocol is loaded
    assert zoo.row("t41_r00").model(weights=True).protocol.row == "t41_r00"


def test_an_unlisted_row_loads_its_own_checkpoint(constructors):
    """The weights come from the row itself, not from the table row of the same name."""
    row = dataclasses.replace(
        zoo.row("t41_r00"), id="mine", name="mine", input_shape=(3, 64, 64, 3)
    )
    model = row.model(weights=True)
    assert model.loaded is row and model.arguments["weights"] is None
    assert model.protocol.row == "mine"


@pytest.mark.parametrize("identity", ["t06_r00", "t15_r02", "t41_r05", "t52_r06"])
def test_rows_without_a_model(identity):
    with pytest.raises(ValueError, match=f"{identity}.*without a model of its own"):
        zoo.row(identity).model()
    with pytest.raises(ValueError, match="without a model of its own"):
        zoo.row(identity).preprocessing()


def test_fusion_names_its_components():
    with pytest.raises(ValueError, match="t41_r03, t41_r04"):
        zoo.row("t41_r05").model()


def test_preprocessing_is_json():
    facts = zoo.row("t30_r00").preprocessing().facts()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["normalize"]["mean"] == [123.675, 116.28, 103.53]
    assert facts["spatial"]["crop"]["kind"] == "center"
    assert facts["sampling"]["num_clips"] == facts["view_frames"] == 8
    assert facts["score_average"] == "prob" and facts["max_views"] is None
    assert zoo.row("t01_r00").preprocessing().max_views == 10
    assert zoo.row("t54_r00").preprocessing().normalize is None


def test_a_real_model():
    row = zoo.row("tsn_r18_1x1x8_100e_hvu_event_rgb")
    model = row.model(input_shape=(2, 64, 64, 3))
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert trainable == row.parameters
    assert model.class_names == list(row.class_names)
    assert model.preprocessing["row"] == row.id


def test_preprocessing_round_trips():
    for row in zoo.rows():
        if row.constructor is not None:
            assert zoo.Protocol.read(row.preprocessing().facts()) == row.preprocessing()


def test_invalid_preprocessing_is_rejected():
    facts = zoo.row("t30_r00").preprocessing().facts()
    with pytest.raises(ValueError, match="view_frames"):
        zoo.Protocol.read({**facts, "view_frames": "eight"})
    with pytest.raises(ValueError, match="phase='holiday': expected one of train, val, test"):
        zoo.Protocol.read({**facts, "phase": "holiday"})
