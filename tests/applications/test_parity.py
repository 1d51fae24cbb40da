"""Every family compared with the original's logits, for weights and inputs made by rule."""

import pytest

from keras_video import applications, zoo
from keras_video.weights import load_state
from tests import reference

NAMES = [
    name
    for name in reference.names()
    if hasattr(applications, zoo.row(reference.load(name).row_name).constructor)
]


@pytest.mark.parametrize("name", NAMES)
def test_logits_equal_the_originals(name):
    case = reference.load(name)
    clips = case.clips()
    overrides = {"input_shape": clips.shape[1:], "classifier_activation": None}
    if "relation_picks" in case.facts:
        overrides["relation_picks"] = case.facts["relation_picks"]
    model = zoo.row(case.row_name).model(weights=None, **overrides)
    load_state(model, case.weights())
    assert reference.learned(model) == case.facts["parameter_count"]
    reference.assert_logits_equal(model(clips), case.logits)


def test_a_misplaced_branch_would_be_detected():
    case = reference.load("tsn_r50_1x1x3")
    clips = case.clips()
    model = zoo.row(case.row_name).model(input_shape=clips.shape[1:], classifier_activation=None)
    state = case.weights()
    state["backbone.layer4.2.conv3.bn.weight"] = state["backbone.layer4.2.conv3.bn.weight"] * 0.9
    load_state(model, state)
    with pytest.raises(AssertionError):
        reference.assert_logits_equal(model(clips), case.logits)
