"""Detection of plain vision transformers from their tensor names and shapes."""

from keras_video.applications import videomae, vivit, vjepa2
from keras_video.applications.architectures.detected import DetectedNetwork, square
from keras_video.applications.uniformer_v2 import SIZES

LAYER = "transformer_layers.layers."
BLOCK = "blocks."
EPSILON = "epsilon of the norms"
CLIP = "(frames, height, width, channels) of a clip"

# Positions for 32 frames of 224 x 224 pixels, the only ones published for ViViT.
PUBLISHED_POSITIONS = 1 + 16 * 14 * 14


def timesformer_network(layers):
    """TimeSformer; the weights do not determine the number of attention heads."""
    patches = layers.shape("patch_embed.projection.weight")
    positions = layers.shape("embedding.pos_embed")
    if len(patches) != 4 or not positions or not layers.has(rf"^{LAYER}"):
        return None
    times = layers.shape("embedding.time_embed")
    divided = layers.has(r"\.temporal_fc\.")
    attention = "divided_space_time" if divided else "joint_space_time" if times else "space_only"
    numbers = {int(name.split(".")[2]) for name in layers.shapes if name.startswith(LAYER)}
    arguments = {
        "attention": attention,
        "patch_size": patches[-1],
        "embed_dim": patches[0],
        "num_layers": len(numbers),
    }
    undetermined = {"num_heads": "attention heads"}
    side = square(positions[1] - 1)
    if side is None or not times:
        undetermined["input_shape"] = CLIP
    else:
        size = side * patches[-1]
        arguments["input_shape"] = (times[1], size, size, patches[1])
    return DetectedNetwork("TimeSformer", arguments, undetermined)


def uniformer_v2_network(layers):
    """UniFormerV2; the weights do not determine the number of attention heads."""
    patches, positions = layers.shape("patch_embed.weight"), layers.shape("embedding.pos_embed")
    if not patches or not positions or "transformer.blend.balance" not in layers:
        return None
    numbers = {
        kind: len({name.split(".")[2] for name in layers.shapes if name.startswith(start)})
        for kind, start in (("layers", "transformer.resblocks."), ("decoders", "transformer.dec."))
    }
    dimensions = {
        "patch_size": patches[-1], "embed_dim": patches[0], "num_layers": numbers["layers"],
    }  # fmt: skip
    named = [
        size for size, known in SIZES.items()
        if all(known[key] == value for key, value in dimensions.items())
    ]  # fmt: skip
    arguments = {"size": named[0]} if named else dimensions
    arguments["num_decoders"] = numbers["decoders"]
    local = len({name.split(".")[3] for name in layers.shapes if ".lmhra" in name})
    arguments |= {"local_blocks": local} if local else {}
    undetermined = {} if named else {"num_heads": "attention heads"}
    side = square(positions[1] - 1)
    if side is None:
        undetermined["input_shape"] = "(frames, height, width, channels) of a clip"
    else:
        arguments["input_shape"] = (8, side * patches[-1], side * patches[-1], patches[1])
    return DetectedNetwork("UniFormerV2", arguments, undetermined)


def videomae_network(layers):
    """VideoMAE, whose keys have no bias; the weights do not determine the epsilon of its norms."""
    if "blocks.0.attn.q_bias" not in layers or layers.has(r"^pooler\."):
        return None
    undetermined = {
        "epsilon": f"{EPSILON} in the blocks",
        "head_epsilon": f"{EPSILON} before the classifier",
    }
    network = _plain_network(layers, "VideoMAE", videomae.SIZES, undetermined)
    if network is not None and "blocks.0.gamma_1" in layers:
        network.arguments["layer_scale"] = 1.0
    return network


def vivit_network(layers):
    """ViViT, with one position embedding per tubelet and one for the class token."""
    positions = layers.shape("embedding.pos_embed")
    if not positions or "embedding.time_embed" in layers:
        return None
    network = _plain_network(layers, "ViViT", vivit.SIZES, {})
    if network is not None and positions[1] != PUBLISHED_POSITIONS:
        network.undetermined["input_shape"] = CLIP
    return network


def vjepa2_network(layers):
    """V-JEPA 2: keys have biases too, and there are no position weights."""
    if "blocks.0.attn.qkv.bias" not in layers or layers.has(r"^embedding\."):
        return None
    network = _plain_network(layers, "VJEPA2", vjepa2.SIZES, {})
    if network is not None and "pooler.query_tokens" in layers:
        network.arguments["pooler_layers"] = _count(layers, "pooler.self_attention_layers.")
    return network


def _plain_network(layers, constructor, sizes, undetermined):
    """A plain transformer over tubelets; the width identifies a known size."""
    tubelet = layers.shape("patch_embed.projection.weight")
    inner = layers.shape("blocks.0.mlp.fc1.weight")
    if len(tubelet) != 5 or tubelet[-1] != tubelet[-2] or not inner:
        return None
    width, _, frames, side, _ = tubelet
    numbers = {
        "embed_dim": width,
        "num_layers": _count(layers, BLOCK),
        "mlp_dim": inner[0],
        "patch_size": side,
    }
    name = next((name for name, size in sizes.items() if size.embed_dim == width), None)
    undetermined = dict(undetermined)
    if name is None:
        arguments = numbers
        undetermined["num_heads"] = "attention heads"
    else:
        known = sizes[name]
        changes = {key: value for key, value in numbers.items() if getattr(known, key) != value}
        arguments = {"size": name, **changes}
    if frames != 2:
        arguments["tubelet_frames"] = frames
    return DetectedNetwork(constructor, arguments, undetermined)


def _count(layers, prefix):
    """The number of blocks whose names begin with `prefix`."""
    starting = (name for name in layers.shapes if name.startswith(prefix))
    return len({name.removeprefix(prefix).split(".")[0] for name in starting})
