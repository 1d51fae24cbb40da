"""Every published network under its project's names, identified by names and shapes alone.

The models have variables with shapes and no values, so that all sizes are cheap.
"""

import inspect
import json

import keras
import numpy as np
import pytest

from keras_video import applications, zoo
from keras_video.applications import loading
from keras_video.applications.architectures import find_architecture
from keras_video.weights.dialects import dialect_of, recognize
from keras_video.weights.loading import fit_tables, match, variables_by_key
from tests.weights import names_of_projects as names
from tests.weights import names_of_stages as stages
from tests.weights.test_dialects import BLOBS, renamed
from tests.zoo.test_published_records import clip_shape

# By constructor: arguments that must be given, since files do not determine them.
GIVEN = {
    "SlowFast": ("tau", "alpha"),
    "TSM": ("segments",),
    "TimeSformer": ("num_heads",),
    "C2D": ("temporal_pool",),
}


def unallocated(constructor, arguments):
    """A model whose variables allocate no memory."""
    with keras.StatelessScope():
        return getattr(applications, constructor)(**arguments)


def pytorchvideo(model):
    state = names.named(model, names.pytorchvideo(model))
    if model.name == "x3d":
        # That shortcut has no norm there.
        state = {k: v for k, v in state.items() if not k.startswith(f"{FIRST}branch1_norm")}
    return names.pointwise(state, r"post_conv|norm_b\.1")


FIRST = "blocks.1.res_blocks.0."


def slowfast(model):
    return names.pointwise(names.named(model, names.slowfast), r"lin_5|se\.fc")


def caffe2(model):
    kept = [(k, v) for k, v in slowfast(model).items() if "num_batches" not in k]
    blobs = renamed(kept, *BLOBS)
    return {**dict(blobs), "lr": np.zeros(1)}


def torchvision_video(model):
    return names.named(model, names.torchvision_video(model))


def transformers_videomae(model):
    state = names.named(model, names.transformers("videomae"))
    return names.hub_state(state)


def transformers_vivit(model):
    return names.hub_state(names.named(model, names.transformers("vivit")))


def transformers_vjepa2(model):
    state = names.named(model, names.vjepa2_of_the_hub)
    for leaf in ("weight", "bias"):
        places = [f"{{0}}{part}.{leaf}" for part in ("query", "key", "value")]
        state = names.split(state, rf"(vjepa2\..*attention\.)qkv\.{leaf}", places)
        places = [f"{{0}}{part}_proj.{leaf}" for part in "qkv"]
        state = names.split(state, rf"(pooler\..*self_attn\.)qkv\.{leaf}", places)
    pooler = (("pooler_norm", "pooler.cross_attention_layer.layer_norm"),
              ("pooler_mlp_", "pooler.cross_attention_layer.mlp."),
              ("pooler_", "pooler.cross_attention_layer.cross_attn."))  # fmt: skip
    tensors = {}
    for key, array in state.items():
        for start, text in pooler:
            if key.startswith(start):
                key = text + key.removeprefix(start)
        tensors[key] = array
    return tensors


def repository(model):
    state = names.named(model, names.dotted)
    rules = ((r"^patch_embed_projection", "patch_embed.proj"), (r"^fc_cls", "head"))
    return dict(renamed(state.items(), *rules))


def mmaction2_videomae(model):
    state = names.named(model, names.dotted)
    rules = (
        (r"^patch_embed_projection", "patch_embed.projection"),
        (r"\.mlp\.fc1", ".mlp.layers.0.0"),
        (r"\.mlp\.fc2", ".mlp.layers.1"),
        (r"^fc_cls", "cls_head.fc_cls"),
        (r"^(?!cls_head)", "backbone."),
    )
    return dict(renamed(state.items(), *rules))


def vjepa2(model):
    return {f"module.backbone.{key}": array for key, array in repository(model).items()}


def mmaction2(model):
    state = names.named(model, lambda layer: layer)
    flat = {}
    for key, array in state.items():
        layer, _, leaf = key.rpartition(".")
        place = names.parts(layer)
        text = layer if place is None else f"layer{place[0]}.{place[1]}.{place[2]}"
        text = text.replace("_conv", ".conv").replace("_bn", ".bn").replace(".conv.conv", ".conv")
        head = "cls_head.fc_cls" if layer == "fc_cls" else f"backbone.{text}"
        # Convolutions of separate frames have two spatial axes there.
        flat[f"{head}.{leaf}"] = array[:, :, 0] if array.ndim == 5 else array
    return flat


NAMED = {
    "pytorchvideo": pytorchvideo,
    "pytorchvideo_x3d": pytorchvideo,
    "slowfast": slowfast,
    "slowfast_x3d": slowfast,
    "slowfast_caffe2": caffe2,
    "torchvision_video_resnet": torchvision_video,
    "transformers_videomae": transformers_videomae,
    "transformers_vivit": transformers_vivit,
    "transformers_vjepa2": transformers_vjepa2,
    "videomae": repository,
    "vjepa2": vjepa2,
    "mmaction2_videomae": mmaction2_videomae,
    "pytorchvideo_mobile_x3d": stages.pytorchvideo_mobile_x3d,
    "pytorchvideo_mvit": stages.pytorchvideo_mvit,
    "slowfast_mvit": stages.slowfast_mvit,
    "torchvision_mvit": stages.torchvision_mvit,
    "torchvision_s3d": stages.torchvision_s3d,
    "torchvision_swin3d": stages.torchvision_swin3d,
}

# Families of MMAction2 1.x whose names follow no residual stages.
MMACTION2 = {
    "C2D": mmaction2,
    "MViT": stages.mmaction2_mvit,
    "Swin3D": stages.mmaction2_swin3d,
    "UniFormer": stages.mmaction2_uniformer,
    "UniFormerV2": stages.mmaction2_uniformer_v2,
}


def cases():
    """One row per network and dialect, as `pytest.param`."""
    chosen = {}
    for row in zoo.rows(kind="model"):
        of_mmaction2 = row.dialect == "mmaction2" and row.constructor in MMACTION2
        if row.dialect in NAMED or of_mmaction2:
            facts = [row.dialect, row.constructor, dict(row.arguments), row.classes]
            chosen.setdefault(json.dumps(facts, sort_keys=True), row)
    marks = [[] if row.id in QUICK else [pytest.mark.slow] for row in chosen.values()]
    rows = zip(chosen.values(), marks, strict=True)
    return [pytest.param(row, id=row.id, marks=mark) for row, mark in rows]


QUICK = (
    "pytorchvideo/kinetics/SLOW_4x16_R50",
    "pytorchvideo/kinetics/X3D_XS",
    "slowfast/SLOWFAST_4x16_R50",
    "torchvision/r3d_18/KINETICS400_V1",
    "hf/MCG-NJU/videomae-base",
    "vjepa2/vitl",
)
# All blocks of these are equal: two suffice.
PLAIN = ("VideoMAE", "ViViT", "VJEPA2")


@pytest.mark.parametrize("row", cases())
def test_a_published_network_is_identified_by_its_names_and_shapes(row, tmp_path):
    arguments = {**row.arguments, "input_shape": clip_shape(row)}
    if row.constructor in PLAIN:
        arguments["num_layers"] = 2
    if row.classes:
        arguments["classes"] = row.classes
    model = unallocated(row.constructor, arguments)
    name = MMACTION2[row.constructor] if row.dialect == "mmaction2" else NAMED[row.dialect]
    assert_recognized(model, name(model), row.dialect, row.constructor, arguments, tmp_path)


def assert_recognized(model, state, dialect, constructor, arguments, folder):
    """Checks that a model's state identifies dialect, constructor and arguments, and fits it."""
    # Without a shift or adaptive module, the repositories of frame networks have the same names.
    assert recognize(state).name in ((dialect, "tam") if dialect == "tsn" else (dialect,))
    architecture = find_architecture(state, dialect_of(state, None))
    undetermined = {key: arguments[key] for key in GIVEN.get(constructor, ()) if key in arguments}
    if constructor == "C2D" and "temporal_pool" in architecture.undetermined:
        undetermined["temporal_pool"] = arguments.get("temporal_pool", True)
    else:
        undetermined.pop("temporal_pool", None)
    if undetermined:
        with pytest.raises(ValueError, match=f"{list(undetermined)[0]}=..."):
            loading.resolve_arguments(folder / "a.pth", architecture, dialect_of(state, None), {})
    user_arguments = {"input_shape": arguments["input_shape"], **undetermined}
    chosen, resolved = loading.resolve_arguments(
        folder / "a.pth", architecture, dialect_of(state, None), user_arguments
    )
    resolved.update(
        loading.classifier_arguments(folder / "a.pth", state, recognize(state), resolved)
    )
    frames = constructor == "C2D" and chosen == "TSN"  # the same network
    assert chosen == constructor or frames
    if not frames:
        assert equal(constructor, resolved, arguments)
    if frames:
        model = unallocated(chosen, resolved)
    prepared = fit_tables(model, recognize(state).prepare(state), recognize(state))
    variables = variables_by_key(model)
    assigned, unexpected, misshaped = match(variables, prepared, recognize(state), head=True)
    assert (unexpected, misshaped) == ([], {})
    assert assigned.keys() == variables.keys()


def equal(constructor, resolved, arguments):
    """Whether the arguments that determine a network are equal, with defaults filled in."""
    parameters = inspect.signature(getattr(applications, constructor)).parameters
    ours, theirs = (
        {key: parameter.default for key, parameter in parameters.items()} | dict(each)
        for each in (resolved, arguments)
    )
    free = ("dropout", "size", "drop_path", "layer_scale")
    free += ("segments",) if constructor == "TSN" else ()  # any number is valid
    differing = [
        (key, ours[key], theirs[key])
        for key in ours
        if key not in free
        and theirs[key] is not None  # determined by the other arguments
        and json.dumps(ours[key]) != json.dumps(theirs[key])
    ]
    assert differing == []
    return ours["size"] == theirs["size"] if "size" in ours else True


SEGMENTS = {
    ("TSM", "resnet50"): ("tsm", True),
    ("TSM", "resnet101"): ("tsm", True),
    ("TSN", "resnet50"): ("tsn", False),
    ("TSN", "resnet101"): ("tsn", False),
    ("TSN", "resnet18"): ("tsn", False),
}


@pytest.mark.slow
@pytest.mark.parametrize(("constructor", "backbone"), SEGMENTS)
def test_repositories_of_segments(constructor, backbone, tmp_path):
    dialect, shifted = SEGMENTS[constructor, backbone]
    arguments = {"backbone": backbone, "segments": 8, "input_shape": (8, 32, 32, 3), "classes": 9}
    model = unallocated(constructor, arguments)
    state = names.named(model, names.repository_of_segments(shifted))
    assert_recognized(model, state, dialect, constructor, arguments, tmp_path)


SLOWFAST_ONLY = {
    "C2D": {"temporal_pool": True},
    "SlowOnly": {},
    "I3D": {"temporal_strides": (1, 1)},
    "SlowFast": {"tau": 8, "alpha": 8, "lateral_norm": True},
    "X3D": {"gamma_d": 5.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("constructor", SLOWFAST_ONLY)
def test_networks_of_the_slowfast_repository_itself(constructor, tmp_path):
    arguments = {**SLOWFAST_ONLY[constructor], "input_shape": (8, 32, 32, 3), "classes": 174}
    model = unallocated(constructor, arguments)
    dialect = "slowfast_x3d" if constructor == "X3D" else "slowfast"
    assert_recognized(model, slowfast(model), dialect, constructor, arguments, tmp_path)
