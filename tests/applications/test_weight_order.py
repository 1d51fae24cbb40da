"""Keras files hold weights by the order of layers: a change here makes saved files unreadable."""

import hashlib

import pytest

from tests.applications import families

DIGESTS = {
    "tsn": "76ebdf53c1d5",
    "tsm": "1a58ee1b2a19",
    "tsm_mobilenet_v2": "7633ee58b0b4",
    "tin": "8baead31124c",
    "tanet": "6e4b80e1dd19",
    "trn": "8ac0e94fd6b1",
    "i3d": "19bbc6354ea1",
    "i3d_non_local": "ba73bfd8f79d",
    "slowonly": "51d062837dee",
    "slowfast": "85158f634889",
    "csn": "0fed80a641f2",
    "r2plus1d": "b2c8dcdd06b0",
    "c2d": "8d29b8d73908",
    "video_resnet": "70d7d422051b",
    "video_resnet_r2plus1d": "a12c8ad2e65b",
    "s3d": "31c56e5a5c91",
    "c3d": "8cd67ae92a30",
    "timesformer": "8298222d36fa",
    "videomae": "8d57b00e7546",
    "vivit": "b943b34f570b",
    "vjepa2": "67d378f9e7e4",
    "x3d": "5f56959f4a49",
    "movinet": "4633c5a9f25d",
    "movinet_stream": "adb42c4ec69e",
    "tpn": "9b166cdc33f5",
    "swin3d": "e896cd002941",
    "mvit": "5e15ad1ed777",
    "uniformer": "8b3f18946587",
    "uniformer_v2": "b6391fe75cf7",
}


def digest(model):
    text = "\n".join(f"{weight.path} {tuple(weight.shape)}" for weight in model.weights)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("name", families.SMALL)
def test_the_order_of_weights_is_frozen(name):
    assert digest(families.build_full_depth(name)) == DIGESTS[name]
