"""Data files are checked against the annotations of the dataclasses."""

import dataclasses

import pytest

from keras_video import zoo
from keras_video.zoo.parsing import build

pytestmark = pytest.mark.unit


def test_values_are_converted_to_their_types():
    phases = build(zoo.Phases[zoo.Sampling], {"all": {"num_clips": 3}}, "file")
    assert phases.train == phases.val == phases.test == zoo.Sampling(num_clips=3)
    normalize = build(zoo.Normalize, {"mean": [1, 2], "std": [1, 1]}, "file")
    assert normalize.mean == (1.0, 2.0) and isinstance(normalize.mean[0], float)


def test_rows_cannot_be_changed():
    row = zoo.row("t41_r00")
    with pytest.raises(dataclasses.FrozenInstanceError):
        row.classes = 5
    with pytest.raises(TypeError):
        row.arguments["dropout"] = 0.1


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (zoo.Sampling, {"clip_len": "8"}, r"file\.clip_len: found '8', expected int"),
        (zoo.Sampling, {"clip_len": True}, r"file\.clip_len: found True, expected int"),
        (zoo.Sampling, {"clips": 1}, "file: Sampling has no clips"),
        (zoo.Crop, {"kind": "center"}, "file: .*size"),
        (zoo.Crop, [], r"file: found \[\], expected dict"),
        (zoo.Spatial, {"resize": [1, 2, 3]}, r"file\.resize: .* expected 2 values"),
        (zoo.Phases[zoo.Sampling], {"testing": {}}, r"file: found phases \['testing'\]"),
        (zoo.Loss, {"weight": None}, r"file\.weight: found None, expected float"),
    ],
)
def test_errors_name_the_position(annotation, value, message):
    with pytest.raises(ValueError, match=message):
        build(annotation, value, "file")
