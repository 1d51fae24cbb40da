"""Model variables under the names used in projects' files: the inverse of the dialects.

Written from the projects' naming, not from `keras_video.weights.dialects`, which this checks.
"""

import math
import re

import numpy as np

LEAVES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
LETTERS = " abc"


def tensors(model, zeros=True):
    """`{layer: {parameter: array}}` in PyTorch's axis order; values, or zeros without memory."""
    layers = {}
    for variable in model.weights:
        layer, _, leaf = variable.path.rpartition("/")
        shape = tuple(variable.shape)
        array = np.broadcast_to(np.float32(0), shape) if zeros else np.array(variable)
        if leaf == "kernel" and len(shape) > 1:
            depthwise = shape[-1] == 1 and len(shape) > 2
            array = np.moveaxis(array, (-2, -1) if depthwise else (-1, -2), (0, 1))
        layers.setdefault(layer.replace("/", "_"), {})[LEAVES.get(leaf, leaf)] = array
    return layers


def named(model, name, zeros=True):
    """The model's state under a project's names.

    Args:
        name: maps the name of a layer to that of the module; `None` leaves the layer out.
    """
    state = {}
    for layer, parameters in tensors(model, zeros).items():
        module = name(layer)
        for leaf, array in parameters.items() if module is not None else ():
            key = f"{module}.{leaf}" if leaf not in ("cls_token", "pos_embed", "time_embed") else (
                f"{module}{leaf}"
            )  # fmt: skip
            assert key not in state, key
            state[key] = array
            if leaf == "running_var":
                state[f"{module}.num_batches_tracked"] = np.zeros((), np.int64)
    return state


def pointwise(state, pattern, axes=3):
    """Dense kernels as convolution kernels of size 1, where a project has convolutions."""
    return {
        key: array[(..., *[None] * axes)] if array.ndim == 2 and re.search(pattern, key) else array
        for key, array in state.items()
    }


def parts(layer):
    """`(stage, block, rest)` of a layer of a residual stage, or `None`."""
    match = re.fullmatch(r"layer(\d)_(\d+)_(.+)", layer)
    return (int(match[1]), int(match[2]), match[3]) if match else None


def pathway(layer):
    """`(0 or 1, rest)` for a layer of two pathways, `(None, layer)` for one pathway."""
    match = re.match(r"(slow|fast)_path_", layer)
    return (0 if match[1] == "slow" else 1, layer[match.end() :]) if match else (None, layer)


def pytorchvideo(model):
    """A function for `named`: PyTorchVideo's residual networks and X3D."""
    pooled = any(layer.name == "pool2" for layer in model.layers)
    two = any(layer.name.startswith("fast_path_") for layer in model.layers)
    x3d = any(layer.name == "conv1_s_conv" for layer in model.layers)
    last = 6 if pooled or two else 5

    def block(stage):
        return stage + 1 if pooled and stage > 1 else stage

    def name(layer):
        path, rest = pathway(layer)
        inside = "" if path is None else f"multipathway_blocks.{path}."
        kind = {"conv": "conv", "bn": "norm"}
        if lateral := re.fullmatch(r"(conv1|layer(\d))_lateral_(conv|bn)", rest):
            number = 0 if lateral[1] == "conv1" else int(lateral[2])
            leaf = "conv_fast_to_slow" if lateral[3] == "conv" else "norm"
            return f"blocks.{number}.multipathway_fusion.{leaf}"
        if match := parts(rest):
            stage, index, part = match
            start = f"blocks.{block(stage)}.{inside}res_blocks.{index}."
            return start + _pytorchvideo_part(part, x3d)
        heads = {"fc_cls": "proj", "fc2": "proj", "fc1": "pool.post_conv"}
        heads |= {"conv5_conv": "pool.pre_conv", "conv5_bn": "pool.pre_norm"}
        if rest in heads:
            return f"blocks.{last}.{heads[rest]}"
        stems = {
            "conv1_s_conv": "conv.conv_t",
            "conv1_t_conv": "conv.conv_xy",
            "conv1_t_bn": "norm",
        }
        if rest in stems:
            return f"blocks.0.{stems[rest]}"
        return f"blocks.0.{inside}{kind[rest.removeprefix('conv1_')]}"

    return name


def _pytorchvideo_part(part, x3d):
    kind = {"conv": "conv", "bn": "norm"}
    if match := re.fullmatch(r"downsample_(conv|bn)", part):
        return f"branch1_{kind[match[1]]}"
    if match := re.fullmatch(r"se_module_fc([12])", part):
        return f"branch2.norm_b.1.block.{2 * int(match[1]) - 2}"
    if match := re.fullmatch(r"conv2_conv_(conv_t|bn_t|conv_s)", part):
        inner = {"conv_t": "conv_t", "bn_t": "norm", "conv_s": "conv_xy"}
        return f"branch2.conv_b.{inner[match[1]]}"
    number, leaf = re.fullmatch(r"conv([123])_(?:0_)?(conv|bn)", part).groups()
    end = ".0" if x3d and number == "2" and leaf == "bn" else ""
    return f"branch2.{kind[leaf]}_{LETTERS[int(number)]}{end}"


def slowfast(layer):
    """For `named`: the SlowFast repository's networks."""
    path, rest = pathway(layer)
    path = path or 0
    if lateral := re.fullmatch(r"(conv1|layer(\d))_lateral_(conv|bn)", rest):
        number = 1 if lateral[1] == "conv1" else int(lateral[2]) + 1
        return f"s{number}_fuse.{'conv_f2s' if lateral[3] == 'conv' else 'bn'}"
    if match := parts(rest):
        stage, index, part = match
        if block := re.fullmatch(r"non_local_block_(theta|phi|g|conv_out)_(conv|bn)", part):
            place = f"s{stage + 1}.pathway{path}_nonlocal{index}."
            return place + ("bn" if block[2] == "bn" else f"conv_{block[1].removeprefix('conv_')}")
        start = f"s{stage + 1}.pathway{path}_res{index}."
        if down := re.fullmatch(r"downsample_(conv|bn)", part):
            return start + ("branch1" if down[1] == "conv" else "branch1_bn")
        if gate := re.fullmatch(r"se_module_(fc[12])", part):
            return f"{start}branch2.se.{gate[1]}"
        number, leaf = re.fullmatch(r"conv([123])_(conv|bn)", part).groups()
        return f"{start}branch2.{LETTERS[int(number)]}{'_bn' if leaf == 'bn' else ''}"
    heads = {"fc_cls": "projection", "fc2": "projection", "fc1": "lin_5"}
    heads |= {"conv5_conv": "conv_5", "conv5_bn": "conv_5_bn"}
    if rest in heads:
        return f"head.{heads[rest]}"
    stems = {"conv1_s_conv": "conv_xy", "conv1_t_conv": "conv", "conv1_t_bn": "bn"}
    return f"s1.pathway{path}_stem.{stems.get(rest) or rest.removeprefix('conv1_')}"


def torchvision_resnet(layer):
    """For `named`: image networks of torchvision."""
    layer = re.sub(r"downsample_conv$", "downsample_0", layer)
    layer = re.sub(r"downsample_bn$", "downsample_1", layer)
    layer = re.sub(r"conv(\d)_bn$", r"bn\1", layer)
    layer = re.sub(r"(conv\d)_conv$", r"\1", layer)
    return {"fc_cls": "fc"}.get(layer, layer.replace("_", "."))


def torchvision_video(model):
    """A function for `named`: VideoResNet of torchvision."""
    factorized = any(layer.name == "conv1_conv_conv_s" for layer in model.layers)
    stem = {
        "conv1_conv_conv_s": "stem.0", "conv1_conv_bn_s": "stem.1", "conv1_conv_conv_t": "stem.3",
        "conv1_conv": "stem.0", "conv1_bn": "stem.4" if factorized else "stem.1", "fc_cls": "fc",
    }  # fmt: skip
    inner = {
        "conv_conv_s": "0.0", "conv_bn_s": "0.1", "conv_conv_t": "0.3", "conv": "0", "bn": "1",
    }  # fmt: skip

    def name(layer):
        if layer in stem:
            return stem[layer]
        stage, index, part = parts(layer)
        module, _, leaf = part.partition("_")
        return f"layer{stage}.{index}.{module}.{inner[leaf]}"

    return name


def repository_of_segments(shifted):
    """A function for `named`: repositories of frame networks with wrapped block convolutions.

    Args:
        shifted: whether the first convolution of a block is wrapped, as TSM's.
    """

    def name(layer):
        if layer == "fc_cls":
            return "module.new_fc"
        wrapped = shifted and re.fullmatch(r"layer\d_\d+_conv1_conv", layer)
        return f"module.base_model.{torchvision_resnet(layer)}{'.net' if wrapped else ''}"

    return name


def dotted(layer):
    """The dotted name of a plain transformer's layer: `blocks.3.mlp.fc1` for `blocks_3_mlp_fc1`."""
    layer = re.sub(r"^blocks_(\d+)_", r"blocks.\1.", layer)
    return re.sub(r"\.(attn|mlp)_", r".\1.", layer)


HUB_BLOCK = (
    (r"\.norm1$", ".layernorm_before"),
    (r"\.norm2$", ".layernorm_after"),
    (r"\.attn\.proj$", ".attention.output.dense"),
    (r"\.attn$", ".attention.attention"),
    (r"\.attn\.qkv$", ".attention.attention.qkv"),
    (r"\.mlp\.fc1$", ".intermediate.dense"),
    (r"\.mlp\.fc2$", ".output.dense"),
)


def transformers(family):
    """A function for `named`: VideoMAE and ViViT of Hugging Face's transformers."""
    rules = (
        (r"^blocks\.", f"{family}.encoder.layer."),
        (r"^patch_embed_projection$", f"{family}.embeddings.patch_embeddings.projection"),
        (r"^embedding$", f"{family}.embeddings."),
        (r"^norm$", f"{family}.layernorm"),
        (r"^fc_cls$", "classifier"),
        *HUB_BLOCK,
    )

    def name(layer):
        layer = dotted(layer)
        for pattern, replacement in rules:
            layer = re.sub(pattern, replacement, layer)
        return layer

    return name


def hub_state(state):
    """Splits queries, keys and values, as in files of the Hub."""
    state = {key.replace("embeddings.pos_embed", "embeddings.position_embeddings"): array
             for key, array in state.items()}  # fmt: skip
    templates = [f"{{0}}{part}" for part in ("query", "key", "value")]
    for leaf in ("weight", "bias"):
        state = split(
            state, rf"(.*\.)qkv\.{leaf}", [f"{template}.{leaf}" for template in templates]
        )
    return state


def vjepa2_of_the_hub(layer):
    """For `named`: V-JEPA 2 of transformers."""
    layer = dotted(layer)
    probe = "pooler.self_attention_layers"
    layer = re.sub(rf"^{probe.replace('.', '_')}_(\d+)_", rf"{probe}.\1.", layer)
    inside = layer.startswith("pooler.self")
    rules = (
        (r"^blocks\.", "vjepa2.encoder.layer."),
        (r"^patch_embed_projection$", "vjepa2.encoder.embeddings.patch_embeddings.proj"),
        (r"^norm$", "vjepa2.encoder.layernorm"),
        (r"^fc_cls$", "classifier"),
        (r"\.attn_proj$", ".self_attn.out_proj"),
        (r"\.attn_qkv$", ".self_attn.qkv"),
        (r"\.mlp_", ".mlp."),
        (r"\.norm([12])$", r".layer_norm\1" if inside else r".norm\1"),
        (r"\.attn\.", ".attention."),
    )
    for pattern, replacement in rules:
        layer = re.sub(pattern, replacement, layer)
    return layer


def split(state, pattern, replacements):
    """Splits the rows of a fused matrix into separate tensors.

    Args:
        pattern: of the fused tensors' full names, with one group.
        replacements: of the parts, formats of the group.
    """
    split_state = {}
    for key, array in state.items():
        match = re.fullmatch(pattern, key)
        if match is None:
            split_state[key] = array
            continue
        rows = array.shape[0] // len(replacements)
        assert rows * len(replacements) == array.shape[0] and math.prod(array.shape)
        for number, text in enumerate(replacements):
            split_state[text.format(match[1])] = array[number * rows : (number + 1) * rows]
    return split_state
