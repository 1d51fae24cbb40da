import copy
import dataclasses
import re

import pytest

from keras_video import zoo
from keras_video.zoo.limits import check_limits
from keras_video.zoo.protocol import Protocol

pytestmark = pytest.mark.unit

FACTS = zoo.row("slowfast_r50_4x16x1_256e_kinetics400_rgb").preprocessing().facts()


def changed(path, value):
    facts = copy.deepcopy(FACTS)
    *parts, last = path.split(".")
    parent = facts
    for part in parts:
        parent = parent[part]
    parent[last] = value
    return facts


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sampling.num_clips", 10**7),
        ("sampling.num_clips", 0),
        ("sampling.num_clips", -1),
        ("sampling.num_clips", True),
        ("sampling.clip_len", 10**9),
        ("sampling.clip_len", 1.5e300),
        ("sampling.clip_len", float("nan")),
        ("sampling.frame_interval", 10**12),
        ("sampling.num_sample_positions", 10**6),
        ("spatial.crop.size", 10**5),
        ("spatial.short_side", 10**6),
        ("spatial.short_side_range", [256, 10**8]),
        ("spatial.resize", [10**9, 1]),
        ("view_frames", 10**10),
        ("max_views", -5),
    ],
)
def test_a_size_out_of_range_is_named_with_its_key(path, value):
    facts = changed(path, value)
    invalid = value[0] if value == [10**9, 1] else value[1] if isinstance(value, list) else value
    key = f"preprocessing.{path}".replace(".", r"\.")
    with pytest.raises(ValueError, match=rf"{key}.*: found {re.escape(repr(invalid))}, expected"):
        check_limits(facts, "preprocessing")
    with pytest.raises(ValueError, match=rf"{key}.*: found"):
        Protocol.read(facts)


def test_sizes_that_are_too_large_together_are_rejected():
    facts = changed("sampling.num_clips", 4000)
    with pytest.raises(ValueError, match="clip_len 32, num_clips 4000, .*: 128000 frames"):
        Protocol.read(facts)
    facts = changed("spatial.crop", {"kind": "ten", "size": 2000})
    with pytest.raises(ValueError, match="10 crops of size 2000: .* pixels of a video"):
        Protocol.read(facts)


def test_every_published_protocol_is_well_within_the_limits():
    for row in zoo.rows():
        if row.preprocessing is None or row.sampling is None or row.sampling.test is None:
            continue
        settings = row.preprocessing()
        check_limits(settings.facts(), row.id)
        enlarged = dataclasses.replace(settings.sampling, num_clips=4 * settings.sampling.num_clips)
        check_limits(dataclasses.replace(settings, sampling=enlarged).facts(), row.id)


def test_other_values_are_ignored():
    for facts in (None, [], "text", {"sampling": None}, {"sampling": {"clip_len": "many"}}):
        check_limits(facts, "preprocessing")
