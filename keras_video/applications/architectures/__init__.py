"""Which network a checkpoint belongs to, told by the names and shapes of its tensors.

A family is a function from `Layers` to `Found`, or `None` for another family's network; a new one
needs a line below. The first that knows the network is taken.
"""

from keras_video.applications.architectures import (
    clips,
    frames,
    hierarchical,
    mobile,
    transformers,
)
from keras_video.applications.architectures.found import Found, Layers

__all__ = ["FAMILIES", "Found", "Layers", "find_architecture"]

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
    """The network of a checkpoint, or `None` if it is no known one.

    Args:
        state: `{name: array}` of the checkpoint.
        dialect: of its names.
    """
    layers = Layers.of(state, dialect)
    return next((found for family in FAMILIES if (found := family(layers)) is not None), None)
