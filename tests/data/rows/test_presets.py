from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from keras_video import zoo
from keras_video.data.pipelines.batch_mixing import CutMix, MixUp, MixUpOrCutMix
from keras_video.data.rows import presets
from keras_video.data.sampling import DenseSampleFrames, SampleFrames
from keras_video.data.transforms.aug_mix import AugMix
from keras_video.data.transforms.basic import (
    CenterCrop,
    Flip,
    MultiScaleCrop,
    Normalize,
    Resize,
    TenCrop,
    apply_transforms,
)
from keras_video.data.transforms.color import ColorJitter, PixelDropout
from keras_video.data.transforms.erasing import RandomErasing
from keras_video.data.transforms.rand_augment import RandAugment
from keras_video.data.transforms.warp import Rotate
from keras_video.zoo.clip_settings import AugMix as AugMixSettings
from keras_video.zoo.clip_settings import RandAugment as RandAugmentSettings
from keras_video.zoo.clip_settings import Spatial

pytestmark = pytest.mark.unit

TSN = "tsn_r50_1x1x3_100e_kinetics400_rgb"
ALL_ROWS = (*zoo.rows(), *zoo.rows(kind="unlisted"), *zoo.rows(kind="example"))
# Settings and the transforms built from them, in the order of application.
AUGMENTATIONS = {
    "rotate": Rotate,
    "pixel_dropout": PixelDropout,
    "color_jitter": ColorJitter,
    "rand_augment": RandAugment,
    "aug_mix": AugMix,
}


def test_transforms_of_a_published_row():
    row = zoo.row(TSN)
    resize, crop, flip, normalize = presets.row_transforms(row, "train")
    assert resize == Resize(short_side=256)
    assert crop == MultiScaleCrop(224, (1, 0.875, 0.75, 0.66), 1)
    assert flip == Flip(0.5)
    assert normalize == Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    assert [type(transform) for transform in presets.row_transforms(row, "val")] == [
        Resize,
        CenterCrop,
        Normalize,
    ]
    assert [type(transform) for transform in presets.row_transforms(row, "test")] == [
        Resize,
        TenCrop,
        Normalize,
    ]


def test_samplers_of_rows():
    assert presets.row_sampling(zoo.row(TSN), "train") == SampleFrames(1, num_clips=3)
    assert presets.row_sampling(zoo.row(TSN), "test") == SampleFrames(1, num_clips=25)
    dense = presets.row_sampling(zoo.row("tsn_r50_dense_1x1x8_100e_kinetics400_rgb"), "test")
    assert isinstance(dense, DenseSampleFrames)


def test_every_row_with_clips_draws_the_published_number_of_frames():
    checked = 0
    for row in zoo.rows():
        if row.sampling is None or row.sampling.test is None:
            continue
        frames = presets.row_sampling(row, "test")(300, training=False)
        assert frames.size == row.sampling.test.total_frames(training=False), row.name
        checked += 1
    assert checked > 150


def test_size_scales_the_resize_too():
    resize, crop, *_ = presets.row_transforms(zoo.row(TSN), "val", size=112)
    assert (resize.short_side, crop.size) == (128, 112)


def test_transforms_produce_a_clip():
    clip = np.random.default_rng(0).integers(0, 256, (3, 120, 160, 3), dtype=np.uint8)
    transforms = presets.row_transforms(zoo.row(TSN), "test", size=64)
    views = apply_transforms(transforms, tf.constant(clip), tf.constant([1, 2]))
    assert views.shape == (10, 3, 64, 64, 3)
    assert views.dtype == tf.float32


def test_flip_label_maps_are_symmetric():
    row = zoo.row("tsm_r50_flip_1x1x8_50e_sthv1_rgb")
    flip = next(
        transform
        for transform in presets.row_transforms(row, "train")
        if isinstance(transform, Flip)
    )
    assert flip.label_map[2] == 4
    assert flip.label_map[4] == 2


@pytest.mark.parametrize("phase", ["train", "val", "test"])
def test_every_row_with_clips_has_transforms(phase):
    checked = 0
    for row in ALL_ROWS:
        spatial = row.spatial and getattr(row.spatial, phase)
        if spatial is None or spatial.crop is None:
            continue
        transforms = presets.row_transforms(row, phase)
        erases = spatial.random_erasing is not None
        assert isinstance(transforms[-2 if erases else -1], Normalize), row.name
        assert isinstance(transforms[-1], RandomErasing) == erases, row.name
        expected = [name for name in AUGMENTATIONS if getattr(spatial, name) is not None]
        built = [
            type(transform) for transform in transforms if type(transform) in AUGMENTATIONS.values()
        ]
        assert built == [AUGMENTATIONS[name] for name in expected], row.name
        checked += 1
    assert checked > 150


def test_augmentations_are_those_the_row_states():
    transforms = {
        name: [
            transform
            for row in ALL_ROWS
            if row.spatial and row.spatial.train and getattr(row.spatial.train, name) is not None
            for transform in presets.row_transforms(row, "train")
            if isinstance(transform, kind)
        ]
        for name, kind in AUGMENTATIONS.items()
    }
    assert transforms["rotate"] == [Rotate((-20, 20))]
    assert transforms["pixel_dropout"] == [PixelDropout((0, 0.05))]
    assert set(transforms["color_jitter"]) == {ColorJitter(0.5, 0.5, 0.5, 0.1)}
    kinds = {RandAugment(), RandAugment.imgaug(), RandAugment.timm()}
    kinds |= {RandAugment(layers=layers, magnitude=7) for layers in (2, 4)}
    assert set(transforms["rand_augment"]) == kinds
    assert transforms["aug_mix"] == [AugMix()]


def test_rows_have_their_batch_mixing():
    mixed = {row.name: presets.row_batch_mixing(row) for row in zoo.rows()}
    assert mixed["tsm_r50_mixup_1x1x8_50e_sthv1_rgb"] == MixUp(174, 0.2)
    assert mixed["tsm_r50_cutmix_1x1x8_50e_sthv1_rgb"] == CutMix(174, 0.2)
    assert mixed[TSN] is None
    row = zoo.row("tsm_r50_mixup_1x1x8_50e_sthv1_rgb")
    assert presets.row_batch_mixing(row, classes=5) == MixUp(5, 0.2)


def test_rows_mix_in_two_ways_and_augment_whole_frames():
    row = zoo.row("mmaction2-1.2/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400")
    assert presets.row_batch_mixing(row, classes=7) == MixUpOrCutMix(7, 0.8, 1.0, 0.5)
    names = [type(transform).__name__ for transform in presets.row_transforms(row, "train")]
    assert names == ["RandAugment", "RandomResizedCrop", "Flip", "Normalize", "RandomErasing"]
    spatial = replace(row.spatial.train, rand_augment=RandAugmentSettings("timm"), short_side=256)
    names = [
        type(transform).__name__ for transform in presets.clip_transforms(spatial, row.normalize)
    ]
    assert names == [
        "Resize", "RandomResizedCrop", "Flip", "RandAugment", "Normalize", "RandomErasing"
    ]  # fmt: skip


def test_an_unknown_list_of_operations_is_rejected():
    spatial = Spatial(aug_mix=AugMixSettings(origin="imgaug"))
    with pytest.raises(ValueError, match="aug_mix: received origin='imgaug', expected one of"):
        presets.color_transforms(spatial)
