"""Identifies the network of a checkpoint from the names and shapes of its tensors.

Each family has a function from `Layers` to a `DetectedNetwork`, or to `None` for another family's
network. A new family needs an entry in `FAMILIES`; the first match wins.
"""

from keras_video.applications.architectures import (
    clips,
    frames,
    hierarchical,
    mobile,
    transformers,
)
from keras_video.applications.architectures.detected import DetectedNetwork, Layers

__all__ = ["FAMILIES", "DetectedNetwork", "Layers", "find_architecture"]

FAMILIES = (
    transformers.timesformer_network,
    hierarchical.swin3d_network,
    hierarchical.mvit_network,
    hierarchical.uniformer_network,
    transformers.uniformer_v2_network,
    transformers.vjepa2_network,
    transformers.vivit_network,
    transformers.videomae_network,
    mobile.movinet_network,
    clips.slowfast_network,
    clips.tpn_network,
    clips.csn_network,
    clips.video_resnet_network,
    clips.r2plus1d_network,
    clips.s3d_network,
    clips.x3d_network,
    clips.c3d_network,
    clips.i3d_network,
    clips.slowonly_network,
    clips.c2d_network,
    frames.audio_network,
    frames.tanet_network,
    frames.tin_network,
    frames.trn_network,
    frames.tsm_network,
    frames.tsn_network,
)


def find_architecture(state, dialect):
    """The network of a checkpoint, or `None` if it is unknown.

    Args:
        state: `{name: array}` of the checkpoint.
        dialect: dialect of its names.
    """
    layers = Layers.of(state, dialect)
    networks = (family(layers) for family in FAMILIES)
    return next((network for network in networks if network is not None), None)
