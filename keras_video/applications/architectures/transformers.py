"""Transformers over patches, by their names and shapes."""

from keras_video.applications.architectures.found import Found, square

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
