"""A small setting of every family, for the tests that run over all of them."""

import contextlib
import functools
from unittest import mock

import keras
import numpy as np

from keras_video import applications
from keras_video.inference import winograd
from keras_video.layers.residual import RESNET_BLOCKS

CLASSES = 5
# Blocks per stage of residual networks that compile quickly.
SHALLOW = (1, 2, 1, 1)

# Constructor and arguments; clips of 32 pixels unless the family cannot take them.
SMALL = {
    "tsn": (applications.TSN, {"backbone": "resnet18", "input_shape": (3, 32, 32, 3)}),
    "tsm": (applications.TSM, {"segments": 4, "input_shape": (4, 32, 32, 3)}),
    "tsm_mobilenet_v2": (
        applications.TSM,
        {"backbone": "mobilenet_v2", "segments": 4, "input_shape": (4, 32, 32, 3)},
    ),
    "tin": (applications.TIN, {"segments": 4, "input_shape": (4, 32, 32, 3)}),
    "tanet": (applications.TANet, {"segments": 4, "input_shape": (4, 32, 32, 3)}),
    "trn": (applications.TRN, {"segments": 4, "input_shape": (4, 32, 32, 3)}),
    "i3d": (applications.I3D, {"input_shape": (8, 32, 32, 3)}),
    "i3d_non_local": (
        applications.I3D,
        {"non_local": "embedded_gaussian", "input_shape": (8, 32, 32, 3)},
    ),
    "slowonly": (applications.SlowOnly, {"input_shape": (4, 32, 32, 3)}),
    "slowfast": (applications.SlowFast, {"input_shape": (16, 32, 32, 3)}),
    "csn": (applications.CSN, {"input_shape": (8, 32, 32, 3)}),
    "c2d": (applications.C2D, {"input_shape": (4, 32, 32, 3)}),
    "r2plus1d": (applications.R2Plus1D, {"input_shape": (8, 32, 32, 3)}),
    "video_resnet": (applications.VideoResNet, {"input_shape": (8, 32, 32, 3)}),
    "video_resnet_r2plus1d": (
        applications.VideoResNet,
        {"kind": "r2plus1d", "input_shape": (8, 32, 32, 3)},
    ),
    "s3d": (applications.S3D, {"input_shape": (8, 32, 32, 3)}),
    "c3d": (applications.C3D, {"input_shape": (16, 32, 32, 3), "feature_dim": 64}),
    "x3d": (applications.X3D, {"input_shape": (4, 32, 32, 3)}),
    "movinet": (applications.MoViNet, {"input_shape": (4, 32, 32, 3)}),
    "movinet_stream": (
        applications.MoViNet,
        {"stream": True, "input_shape": (4, 32, 32, 3)},
    ),
    "timesformer": (
        applications.TimeSformer,
        {"embed_dim": 32, "num_heads": 2, "num_layers": 2, "input_shape": (4, 32, 32, 3)},
    ),
    **{
        name: (
            constructor,
            {"embed_dim": 48, "num_heads": 2, "num_layers": 2, "mlp_dim": 96, "patch_size": 8}
            | {"drop_path": 0.1, "input_shape": (4, 32, 32, 3)},
        )
        for name, constructor in {
            "videomae": applications.VideoMAE,
            "vivit": applications.ViViT,
            "vjepa2": applications.VJEPA2,
        }.items()
    },
    "tpn": (applications.TPN, {"segments": 8, "input_shape": (8, 32, 32, 3)}),
    "swin3d": (
        applications.Swin3D,
        {
            "embed_dim": 8,
            "depths": (2, 2),
            "num_heads": (1, 2),
            "window_size": (2, 3, 3),
            "input_shape": (6, 32, 40, 3),
        },
    ),
    # Maps of 5 and 3 positions, for which tables of halves rounded down are too short.
    "mvit": (
        applications.MViT,
        {
            "embed_dim": 8,
            "num_layers": 3,
            "num_heads": 1,
            "downscale": (1, 2),
            "input_shape": (4, 40, 32, 3),
        },
    ),
    "uniformer": (
        applications.UniFormer,
        {
            "depths": (1, 1, 1, 1),
            "widths": (8, 8, 16, 16),
            "head_dim": 8,
            "input_shape": (4, 32, 40, 3),
        },
    ),
    "uniformer_v2": (
        applications.UniFormerV2,
        {
            "patch_size": 8,
            "embed_dim": 16,
            "num_layers": 3,
            "num_heads": 2,
            "num_decoders": 2,
            "input_shape": (3, 32, 40, 3),
        },
    ),
}

# Families with audio input, alone or with video: their input is not a clip of frames.
AUDIO_FAMILIES = {
    "audio_resnet": (applications.AudioResNet, {"input_shape": (64, 40, 1)}),
    "av_slowfast": (
        applications.AVSlowFast,
        {"input_shape": (16, 32, 32, 3), "audio_shape": (32, 16, 1)},
    ),
}

# Variants that compute something else, for the slow tests.
VARIANTS = {
    "mvit_v1": (applications.MViT, {**SMALL["mvit"][1], "version": 1}),
    "mvit_mlp": (applications.MViT, {**SMALL["mvit"][1], "widen_in": "mlp"}),
    "audio_resnet_factorized": (
        applications.AudioResNet,
        {"depth": 50, "factorized": True, "input_shape": (64, 40, 1)},
    ),
    "video_resnet_mc3": (applications.VideoResNet, {"kind": "mc3", "input_shape": (8, 32, 32, 3)}),
    "c2d_without_pooling": (
        applications.C2D,
        {"temporal_pool": False, "stem_padding": False, "input_shape": (4, 32, 32, 3)},
    ),
    **{
        f"timesformer_{attention}": (
            applications.TimeSformer,
            {**SMALL["timesformer"][1], "attention": attention},
        )
        for attention in ("joint_space_time", "space_only")
    },
    "videomae_scaled": (
        applications.VideoMAE,
        {**SMALL["videomae"][1], "layer_scale": 0.1, "rematerialize": True},
    ),
    **{
        f"tsn_{backbone}": (
            applications.TSN,
            {"backbone": backbone, "input_shape": (2, 64, 64, 3)},
        )
        for backbone in ("resnext101_32x4d", "swin_base")
    },
}
ALL = SMALL | AUDIO_FAMILIES | VARIANTS


def build(name, **overrides):
    """The small model with this name, with logits and few blocks unless overridden."""
    with mock.patch.dict(RESNET_BLOCKS, dict.fromkeys(RESNET_BLOCKS, SHALLOW)):
        return build_full_depth(name, **overrides)


def build_full_depth(name, **overrides):
    """Like `build`, with every block of the residual networks."""
    constructor, arguments = ALL[name]
    common = {"classes": CLASSES, "classifier_activation": None}
    return constructor(**{**common, **arguments, **overrides})


@contextlib.contextmanager
def small_ones_filtered():
    """Lets `winograd_model` change convolutions although it only pays off for larger clips."""
    sizes = dict.fromkeys(winograd.LEAST_PRODUCTS, 0)
    with (
        mock.patch.dict(winograd.LEAST_PRODUCTS, sizes),
        mock.patch.dict(winograd.LEAST_SIZES, sizes),
    ):
        yield


@functools.cache
def shared(name):
    """The small model with this name that all tests share, with `randomize`d weights."""
    model = build(name)
    randomize(model)
    return model


def randomize(model):
    """Sets every weight to a random value, so that no error hides behind a zero or one."""
    rng = np.random.default_rng(1)
    for variable in model.weights:
        shape = variable.shape
        if "variance" in variable.path or variable.path.endswith("gamma"):
            variable.assign(rng.uniform(0.75, 1.25, shape))
        else:
            fan_in = max(1, int(np.prod(shape[:-1])))
            variable.assign(rng.normal(0, fan_in**-0.5, shape))


def clips(name, batch=2):
    """Noise for the small model with this name: clips, or a dictionary of clips and audio."""
    rng = np.random.default_rng(0)
    shapes = {"video": input_shape(name), "audio": ALL[name][1].get("audio_shape")}
    noise = {
        key: rng.normal(size=(batch, *shape)).astype("float32")
        for key, shape in shapes.items()
        if shape
    }
    return noise if len(noise) > 1 else noise["video"]


def input_shape(name):
    """The shape of one clip of the small model."""
    return ALL[name][1]["input_shape"]


def check_equal_model(name, function):
    """Checks that `function` returns a model of the same class, with equal names and logits.

    The given model must stay unchanged. Returns the new model.
    """
    model = shared(name)
    model.class_names = list("abcde")
    before = model.get_weights()
    result = function(model)
    assert result is not model
    assert type(result) is type(model)
    assert result.class_names == model.class_names
    x = clips(name)
    expected = keras.ops.convert_to_numpy(model(x))
    worst = np.abs(keras.ops.convert_to_numpy(result(x)) - expected).max()
    assert worst <= 1e-4 * max(1, np.abs(expected).max())
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    return result
