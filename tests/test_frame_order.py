"""Models trained from scratch on videos whose classes differ only in the order of frames."""

import dataclasses
from functools import partial

import keras
import numpy as np
import pytest

from keras_video import applications
from keras_video.applications import (
    c2d,
    c3d,
    csn,
    i3d,
    movinet,
    r2plus1d,
    s3d,
    slowfast,
    slowonly,
    tanet,
    tin,
    trn,
    tsm,
    tsn,
    video_resnet,
    x3d,
)
from keras_video.data.decoding.videos import open_video
from keras_video.data.embedded.moving_shapes import make_moving_shapes
from keras_video.layers import bottleneck, conv_bn, residual_stage
from keras_video.layers.inflated import clip_stage, clip_stem
from keras_video.layers.residual import RESNET_BLOCKS

FRAMES, SIZE = 8, 32
SMALL = {"input_shape": (FRAMES, SIZE, SIZE, 3), "classes": 2, "dropout": 0}
FAMILIES = {
    "tsm": (tsm, tsm.TSM),
    "tin": (tin, tin.TIN),
    "tanet": (tanet, tanet.TANet),
    "trn": (trn, trn.TRN),
}
# Models that take clips, see `make_thin`.
CLIP_FAMILIES = {
    "c3d": (
        applications.C3D,
        {**SMALL, "input_shape": (2 * FRAMES, SIZE, SIZE, 3), "feature_dim": 64},
    ),
    "i3d": (applications.I3D, SMALL),
    "slowonly": (applications.SlowOnly, SMALL),
    "slowfast": (applications.SlowFast, {**SMALL, "tau": 4, "alpha": 4, "beta_inv": 4}),
    "csn": (applications.CSN, SMALL),
    "csn_ip": (applications.CSN, {**SMALL, "mode": "ip"}),
    "r2plus1d": (applications.R2Plus1D, {**SMALL, "depth": 18}),
    **{
        f"video_resnet_{kind}": (applications.VideoResNet, {**SMALL, "kind": kind})
        for kind in video_resnet.KINDS
    },
    "s3d": (applications.S3D, SMALL),
    "x3d": (applications.X3D, {**SMALL, "gamma_d": 1.0}),
    "tpn": (applications.TPN, {**SMALL, "segments": FRAMES}),
    "movinet": (applications.MoViNet, {**SMALL, "drop_path": 0}),
    "movinet_stream": (applications.MoViNet, {**SMALL, "drop_path": 0, "stream": True}),
}
PLAIN = {**SMALL, "patch_size": 8, "embed_dim": 96, "num_heads": 2, "num_layers": 3}
PLAIN |= {"mlp_dim": 192, "drop_path": 0}
# Transformers, made small by their arguments.
TRANSFORMERS = {
    "swin3d": (
        applications.Swin3D,
        {
            **SMALL,
            "embed_dim": 32,
            "depths": (2, 2),
            "num_heads": (2, 4),
            "window_size": (4, 4, 4),
            "drop_path": 0,
        },
    ),
    "mvit": (
        applications.MViT,
        {**SMALL, "embed_dim": 32, "num_layers": 4, "downscale": (2,), "drop_path": 0},
    ),
    "mvit_v1": (
        applications.MViT,
        {
            **SMALL,
            "version": 1,
            "embed_dim": 32,
            "num_layers": 4,
            "downscale": (2,),
            "drop_path": 0,
        },
    ),
    "uniformer": (
        applications.UniFormer,
        {
            **SMALL,
            "depths": (1, 1, 1, 1),
            "widths": (16, 32, 32, 64),
            "head_dim": 16,
            "drop_path": 0,
        },
    ),
    "uniformer_v2": (
        applications.UniFormerV2,
        {
            **SMALL,
            "patch_size": 8,
            "embed_dim": 96,
            "num_layers": 3,
            "num_heads": 2,
            "num_decoders": 2,
            "local_blocks": 1,
            "mlp_dropout": 0,
        },
    ),
    "videomae": (applications.VideoMAE, PLAIN),
    "vivit": (applications.ViViT, PLAIN),
    "vjepa2": (applications.VJEPA2, {**PLAIN, "pooler_layers": 1}),
}
EPOCHS = 30
ENOUGH = 0.95


def thin_resnet(x, depth, block=None):
    """Two stages of the family's blocks, at a fraction of a ResNet's width."""
    x = conv_bn(x, 16, 3, 2, name="conv1")
    outputs = []
    for stage in range(2):
        blocks = [block(stage, index) if block else bottleneck for index in range(2)]
        x = residual_stage(x, blocks, 16 * 2**stage, 1 + stage, name=f"layer{stage + 1}")
        outputs.append(x)
    return outputs


def make_thin(monkeypatch):
    """Shrinks the families to one block per stage and at most a quarter of the filters."""
    for depth in (18, 50):
        monkeypatch.setitem(RESNET_BLOCKS, depth, (1, 1, 1, 1))
    for module in (c2d, csn, i3d, r2plus1d, slowonly):
        monkeypatch.setattr(module, "clip_stem", partial(clip_stem, width=16))
        monkeypatch.setattr(module, "clip_stage", partial(clip_stage, width=16))
    monkeypatch.setattr(video_resnet, "clip_stage", partial(clip_stage, width=16))
    first, *_ = s3d.MODULES
    monkeypatch.setattr(s3d, "MODULES", ((first[0],), (first[0],), (first[0],)))
    monkeypatch.setattr(slowfast, "WIDTH", 16)
    monkeypatch.setattr(x3d, "BLOCKS", (1, 1, 1, 1))
    monkeypatch.setitem(movinet.VARIANTS, "a0", thin_movinet(movinet.VARIANTS["a0"]))
    thin_groups = tuple(
        (tuple((label, filters // 8) for label, filters in convolutions), *pooling)
        for convolutions, *pooling in c3d.GROUPS
    )
    monkeypatch.setattr(c3d, "GROUPS", thin_groups)


def thin_movinet(facts):
    """Keeps the first block of every stage."""
    kernels = tuple(each[:1] for each in facts.kernels)
    expansions = tuple(each[:1] for each in facts.expansions)
    return dataclasses.replace(facts, kernels=kernels, expansions=expansions, head=64)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Shapes that move right or left: clips and labels for training and for evaluation."""
    folder = tmp_path_factory.mktemp("order")
    shapes = make_moving_shapes(
        folder / "shapes",
        "order",
        videos_per_class=80,
        val_videos_per_class=30,
        frames=FRAMES,
        size=SIZE,
    )
    assert shapes.class_names[:2] == ("right", "left")
    return [read(shapes.root, annotations) for annotations in (shapes.train_list, shapes.val_list)]


def read(root, annotations):
    """Normalized clips with all frames of the first two classes' videos, and their labels."""
    clips, labels = [], []
    for line in annotations.read_text().splitlines():
        path, label = line.rsplit(maxsplit=1)
        if int(label) < 2:
            clips.append(open_video(root / path).read(np.arange(FRAMES)))
            labels.append(int(label))
    return (np.stack(clips).astype("float32") - 110) / 55, np.array(labels)


class Enough(keras.callbacks.Callback):
    """Stops training once the validation accuracy is high enough."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = logs["val_accuracy"] >= ENOUGH


def train(model, videos, epochs, rate=None):
    """Trains a model; returns the best validation accuracy of any epoch."""
    norms = any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
    optimizer = keras.optimizers.Adam(rate or (1e-3 if norms else 1e-4))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    # A model that takes more frames receives each of them several times.
    times = model.input_shape[1] // FRAMES
    (clips, labels), evaluation = [(np.repeat(x, times, axis=1), y) for x, y in videos]
    history = model.fit(
        clips,
        labels,
        batch_size=16,
        epochs=epochs,
        validation_data=evaluation,
        callbacks=[Enough()],
        verbose=0,
    )
    # Round to a fraction of videos: in float32, 54 of 60 is slightly less than 0.9.
    return round(max(history.history["val_accuracy"]), 6)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_temporal_families_learn_the_order(family, videos, monkeypatch):
    keras.utils.set_random_seed(0)
    module, constructor = FAMILIES[family]
    monkeypatch.setattr(module, "resnet", thin_resnet)
    assert train(constructor(**SMALL), videos, EPOCHS) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("family", CLIP_FAMILIES)
def test_clip_families_learn_the_order(family, videos, monkeypatch):
    keras.utils.set_random_seed(0)
    make_thin(monkeypatch)
    constructor, arguments = CLIP_FAMILIES[family]
    # Depthwise convolutions learn slowly.
    slow = family.startswith("movinet")
    epochs, rate = (2 * EPOCHS, 3e-3) if slow else (EPOCHS, None)
    assert train(constructor(**arguments), videos, epochs, rate=rate) >= 0.9


@pytest.mark.slow
def test_c2d_cannot_learn_the_order(videos, monkeypatch):
    keras.utils.set_random_seed(0)
    make_thin(monkeypatch)
    assert train(applications.C2D(**SMALL), videos, epochs=8) <= 0.65


@pytest.mark.slow
@pytest.mark.parametrize("family", TRANSFORMERS)
def test_transformers_learn_the_order(family, videos):
    keras.utils.set_random_seed(0)
    constructor, arguments = TRANSFORMERS[family]
    # Plain ViTs, with a constant token size, need a lower learning rate and more epochs.
    plain = family in ("videomae", "vivit", "vjepa2")
    epochs, rate = (2 * EPOCHS, 5e-4) if plain else (EPOCHS, 1e-3)
    assert train(constructor(**arguments), videos, epochs, rate=rate) >= 0.9


@pytest.mark.slow
def test_the_order_cannot_be_learned_without_temporal_modeling(videos, monkeypatch):
    keras.utils.set_random_seed(0)
    monkeypatch.setitem(tsn.BODIES, "resnet50", lambda x: thin_resnet(x, 50))
    assert train(tsn.TSN(**SMALL), videos, epochs=8) <= 0.65
