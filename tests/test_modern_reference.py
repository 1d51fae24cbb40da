"""The reference cases of other projects' networks match their recorded facts."""

import pytest

from tests import modern_reference

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", ["ptv_x3d_xs"])
def test_weights_and_input_match_the_original(name):
    case = modern_reference.load(name)
    assert modern_reference.checksum(case.weights().values()) == case.facts["weights_crc32"]
    clips = case.clips().transpose(0, 4, 1, 2, 3)
    assert modern_reference.checksum([clips]) == case.facts["input_crc32"]


def test_every_case_names_its_rule_and_its_file():
    for name in modern_reference.names():
        facts = modern_reference.load(name).facts
        assert facts["rule"].removesuffix(".py") in ("rule_modern", "rule_modern_transformers")
        assert {"manifest", "input_layout", "parameter_count"} <= facts.keys()
