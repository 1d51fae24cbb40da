"""Mobile networks found by search, by their names and shapes."""

from keras_video.applications import movinet
from keras_video.applications.architectures.found import Found


def movinet_network(layers):
    """MoViNet; its variant is told by the width of every block."""
    if "block0_layer0.expansion.conv.weight" not in layers:
        return None
    for variant, facts in movinet.VARIANTS.items():
        if found_expansions(layers, facts) == facts.expansions:
            stream = layers.has(r"\.feature\.conv_temporal\.")
            return Found("MoViNet", {"variant": variant, "stream": stream})
    return None


def found_expansions(layers, facts):
    """Per stage, the channels of the depthwise convolution of as many blocks as a variant has."""
    return tuple(
        tuple(
            (layers.shape(f"block{stage}_layer{index}.expansion.conv.weight") or (None,))[0]
            for index in range(len(kernels))
        )
        for stage, kernels in enumerate(facts.kernels)
    )
