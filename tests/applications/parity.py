"""Compares a family with its reference case, for the tests of all families."""

from keras_video.weights import load_state
from tests import reference
from tests.layer_outputs import assert_layer_outputs_equal, intermediate_outputs


def assert_equals_the_original(name, constructor, layers, **arguments):
    """Checks that parameters, intermediate outputs and logits equal those of a case.

    Args:
        name: the name of the case.
        constructor: the constructor of the family, called with `arguments`.
        layers: `{name of an intermediate output of the case, without "backbone.": layer}`.
    """
    case = reference.load(name)
    clips = case.clips()
    model = constructor(
        input_shape=clips.shape[1:],
        classes=case.classes,
        classifier_activation=None,
        **arguments,
    )
    assert reference.learned(model) == case.facts["parameter_count"]
    load_state(model, case.weights())
    values, logits = intermediate_outputs(model, clips, layers.values())
    assert_layer_outputs_equal(case, values, layers)
    reference.assert_logits_equal(logits, case.logits)
