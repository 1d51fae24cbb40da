"""Transformers over patches, by their names and shapes."""

from keras_video.applications import videomae, vivit, vjepa2
from keras_video.applications.architectures.found import Found, square
from keras_video.applications.uniformer_v2 import SIZES

LAYER = "transformer_layers.layers."
BLOCK = "blocks."
EPSILON = "what norms add to the variance"
CLIP = "(frames, height, width, channels) of a clip"

# Positions of 32 frames of 224 x 224 pixels, the only published ones of ViViT.
PUBLISHED_POSITIONS = 1 + 16 * 14 * 14


def timesformer_network(layers):
    """TimeSformer; into how many heads its width is divided is not among its weights."""
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
    return Found("TimeSformer", arguments, undetermined)


def uniformer_v2_network(layers):
    """UniFormerV2; into how many heads its width is divided is not among its weights."""
    patches, positions = layers.shape("patch_embed.weight"), layers.shape("embedding.pos_embed")
    if not patches or not positions or "transformer.blend.balance" not in layers:
        return None
    numbers = {
        kind: len({name.split(".")[2] for name in layers.shapes if name.startswith(start)})
        for kind, start in (("layers", "transformer.resblocks."), ("decoders", "transformer.dec."))
    }
    found = {
        "patch_size": patches[-1], "embed_dim": patches[0], "num_layers": numbers["layers"],
    }  # fmt: skip
    named = [
        size for size, known in SIZES.items()
        if all(known[key] == each for key, each in found.items())
    ]  # fmt: skip
    arguments = {"size": named[0]} if named else found
    arguments["num_decoders"] = numbers["decoders"]
    local = len({name.split(".")[3] for name in layers.shapes if ".lmhra" in name})
    arguments |= {"local_blocks": local} if local else {}
    undetermined = {} if named else {"num_heads": "attention heads"}
    side = square(positions[1] - 1)
    if side is None:
        undetermined["input_shape"] = "(frames, height, width, channels) of a clip"
    else:
        arguments["input_shape"] = (8, side * patches[-1], side * patches[-1], patches[1])
    return Found("UniFormerV2", arguments, undetermined)


def videomae_network(layers):
    """VideoMAE, whose keys have no bias; what its norms add is not among its weights."""
    if "blocks.0.attn.q_bias" not in layers or layers.has(r"^pooler\."):
        return None
    undetermined = {
        "epsilon": f"{EPSILON} in the blocks",
        "head_epsilon": f"{EPSILON} before the classifier",
    }
    found = _plain_network(layers, "VideoMAE", videomae.SIZES, undetermined)
    if found is not None and "blocks.0.gamma_1" in layers:
        found.arguments["layer_scale"] = 1.0
    return found


def vivit_network(layers):
    """ViViT, which has one position for every tubelet and the class token."""
    positions = layers.shape("embedding.pos_embed")
    if not positions or "embedding.time_embed" in layers:
        return None
    found = _plain_network(layers, "ViViT", vivit.SIZES, {})
    if found is not None and positions[1] != PUBLISHED_POSITIONS:
        found.undetermined["input_shape"] = CLIP
    return found


def vjepa2_network(layers):
    """V-JEPA 2: biases of keys too, and no positions among the weights."""
    if "blocks.0.attn.qkv.bias" not in layers or layers.has(r"^embedding\."):
        return None
    found = _plain_network(layers, "VJEPA2", vjepa2.SIZES, {})
    if found is not None and "pooler.query_tokens" in layers:
        found.arguments["pooler_layers"] = _count(layers, "pooler.self_attention_layers.")
    return found


def _plain_network(layers, constructor, sizes, undetermined):
    """A plain transformer over tubelets, by the known size of its width."""
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
        own = {key: value for key, value in numbers.items() if getattr(sizes[name], key) != value}
        arguments = {"size": name, **own}
    if frames != 2:
        arguments["tubelet_frames"] = frames
    return Found(constructor, arguments, undetermined)


def _count(layers, prefix):
    """Blocks whose names begin with `prefix`."""
    starting = (name for name in layers.shapes if name.startswith(prefix))
    return len({name.removeprefix(prefix).split(".")[0] for name in starting})
