"""Detection of mobile networks from architecture search by tensor names and shapes."""

from keras_video.applications import movinet
from keras_video.applications.architectures.detected import DetectedNetwork


def movinet_network(layers):
    """MoViNet; the widths of its blocks identify the variant."""
    if "block0_layer0.expansion.conv.weight" not in layers:
        return None
    for variant, facts in movinet.VARIANTS.items():
        if expansion_widths(layers, facts) == facts.expansions:
            stream = layers.has(r"\.feature\.conv_temporal\.")
            return DetectedNetwork("MoViNet", {"variant": variant, "stream": stream})
    return None


def expansion_widths(layers, facts):
    """Per stage, the channels of the depthwise convolutions, for the variant's number of blocks."""
    return tuple(
        tuple(
            (layers.shape(f"block{stage}_layer{index}.expansion.conv.weight") or (None,))[0]
            for index in range(len(kernels))
        )
        for stage, kernels in enumerate(facts.kernels)
    )
