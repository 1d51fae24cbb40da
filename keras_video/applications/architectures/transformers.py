"""Transformers over patches, by their names and shapes."""

from keras_video.applications.architectures.found import Found, square
from keras_video.applications.uniformer_v2 import SIZES

LAYER = "transformer_layers.layers."


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
        undetermined["input_shape"] = "(frames, height, width, channels) of a clip"
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
    undetermined = {} if named else {"num_heads": "attention heads"}
    side = square(positions[1] - 1)
    if side is None:
        undetermined["input_shape"] = "(frames, height, width, channels) of a clip"
    else:
        arguments["input_shape"] = (8, side * patches[-1], side * patches[-1], patches[1])
    return Found("UniFormerV2", arguments, undetermined)
