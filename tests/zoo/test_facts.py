"""The fields of some rows, checked one by one."""

import pytest

from keras_video import zoo

pytestmark = pytest.mark.unit

IMAGENET = zoo.Normalize((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
MULTI_SCALE = (1.0, 0.875, 0.75, 0.66)


def test_tsn():
    row = zoo.row("t41_r00")
    assert row.name == row.config == "tsn_r50_1x1x3_100e_kinetics400_rgb"
    assert row.constructor == "TSN"
    assert dict(row.arguments) == {"backbone": "resnet50", "segments": 3, "dropout": 0.4}
    assert row.input_shape == (3, 224, 224, 3)
    assert row.test_input_shape == (25, 224, 224, 3)
    assert row.classes == 400 and row.normalize == IMAGENET
    assert row.checkpoint.sha256_prefix == "e508be42"
    assert row.initial_weights.part == "backbone" and not row.initial_weights.inflate
    assert (
        row.initial_weights.file == "resnet50-19c8e357.pth"
        and row.initial_weights.sha256_prefix == "19c8e357"
    )
    assert row.initial_weights.other_urls == (
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    )
    assert row.sampling.train == zoo.Sampling(num_clips=3)
    assert row.sampling.test == zoo.Sampling(num_clips=25)
    assert row.spatial.train == zoo.Spatial(
        short_side=256, crop=zoo.Crop("multi_scale", 224, MULTI_SCALE), flip_probability=0.5
    )
    assert row.spatial.val == zoo.Spatial(short_side=256, crop=zoo.Crop("center", 224))
    assert row.spatial.test == zoo.Spatial(short_side=256, crop=zoo.Crop("ten", 224))
    assert row.views == zoo.Views(clips=1, crops=10, frames=25) and row.view_frames is None
    assert row.optimizer == zoo.Optimizer(0.01, reference_gpus=8, weight_decay=1e-4)
    assert row.schedule == zoo.Schedule("step", steps=(40, 80))
    assert (row.gradient_clip, row.epochs, row.batch_size_per_device, row.batch_size) == (
        40,
        100,
        32,
        256,
    )
    assert row.loss == zoo.Loss() and row.norm == zoo.Norm()
    assert (row.reported.top1, row.reported.top5) == (70.6, 89.26)
    assert row.source.train == zoo.Source("rawframes", "img_{:05}.jpg", start_index=1)


def test_tsn_with_flow():
    row = zoo.row("t51_r02")
    assert row.input_shape == (8, 224, 224, 10)
    assert row.sampling.train.clip_len == 5
    assert row.normalize == zoo.Normalize((128.0, 128.0), (128.0, 128.0))
    assert row.initial_weights.part == "model" and row.initial_weights.trained_on == "Kinetics-400"
    assert row.source.train.file_template == "flow_{}_{:05d}.jpg"
    assert not row.source.train.with_offset and row.source.test.with_offset


def test_tsn_with_several_labels():
    row = zoo.row("t52_r00")
    assert row.arguments["classifier_activation"] == "sigmoid"
    assert row.loss == zoo.Loss("binary", weight=333.0)
    assert row.source.train.multi_label and row.label_map == "hvu_action"
    assert row.reported == zoo.Reported(mean_average_precision=57.5)


def test_tsm_with_mirrored_labels():
    row = zoo.row("t32_r05")
    assert row.spatial.train.flip_labels == ((2, 4), (30, 41), (52, 66))
    assert row.spatial.train.rand_augment == zoo.RandAugment("imgaug", 2, 9, 10)
    assert row.spatial.train.crop == zoo.Crop("multi_scale", 224, MULTI_SCALE, num_fixed_crops=13)
    assert row.optimizer == zoo.Optimizer(
        0.01, 8, weight_decay=5e-4, grouped=True, classifier_multiplier=5.0
    )
    assert row.views == zoo.Views(clips=2, crops=3, frames=8) and row.view_frames == 8
    assert zoo.row("t32_r00").spatial.train.flip_probability == 0


def test_tsm_mixes_clips_in_training():
    assert zoo.row("t34_r00").mixup_alpha == zoo.row("t34_r01").cutmix_alpha == 0.2


def test_slowfast_multigrid():
    row = zoo.row("t08_r06")
    assert dict(row.arguments) == {
        "slow_depth": 50, "fast_depth": 50, "tau": 4, "alpha": 4, "fusion_kernel": 7,
        "lateral_norm": True,
    }  # fmt: skip
    assert row.multigrid.epoch_factor == 1.5 and row.multigrid.side == 224
    assert row.precise_bn == zoo.PreciseNorm(iterations=200, interval=3)
    assert any("358" in note for note in row.notes)


def test_i3d_dense_and_fused():
    dense = zoo.row("t02_r03").sampling
    assert dense.test == zoo.Sampling("DenseSampleFrames", 32, 2, 1)
    assert dense.test.total_clips(training=False) == 10
    assert dense.test.total_clips(training=True) == 1
    assert zoo.row("t02_r05").spatial.train.fused_resize
    assert zoo.row("t02_r00").initial_weights.inflate
    assert zoo.row("i3d_r50_heavy_8x8x1_100e_kinetics400_rgb").arguments["heavy"] is True


def test_csn_freezes_its_norms_with_one_exception():
    frozen = [row.norm for row in zoo.rows("csn")]
    assert frozen[:8] == [zoo.Norm(eval_mode=True, frozen=True)] * 8
    assert frozen[8] == zoo.Norm()
    assert zoo.row("t01_r04").reported.top1_ported == 82.6


def test_c3d():
    row = zoo.row("t00_r00")
    assert row.spatial.train.resize == (128, 171)
    assert row.spatial.train.crop == zoo.Crop("random", 112)
    assert row.normalize == zoo.Normalize((104.0, 117.0, 128.0), (1.0, 1.0, 1.0))
    assert row.score_average == "score"


def test_timesformer():
    row = zoo.row("t22_r01")
    assert dict(row.arguments) == {"attention": "joint_space_time"}
    assert row.spatial.train.short_side_range == (256, 320)
    assert row.spatial.test == zoo.Spatial(short_side=224, crop=zoo.Crop("three", 224))
    assert row.optimizer.nesterov
    assert row.initial_weights.sha256_prefix is None


def test_omnisource_trains_on_four_sources():
    joint = zoo.row("t04_r05").joint
    assert [part.source.kind for part in joint] == ["video", "images", "video", "untrimmed_video"]
    assert [part.ratio for part in joint] == [2, 1, 1, 1]
    assert [part.batch_size_per_device for part in joint] == [12, 64, 12, 12]
    assert joint[1].source.class_power == 0.5 and joint[1].pseudo_clip is None
    assert zoo.row("t05_r05").joint[1].pseudo_clip == 8


def test_unpublished_settings_are_marked():
    row = zoo.row("t03_r01")
    assert not row.published
    assert row.settings_from == "tsn_r50_1x1x3_100e_kinetics400_rgb"
    assert [checkpoint.label for checkpoint in row.checkpoints] == ["OmniSource", "Baseline"]
    assert [checkpoint.top1 for checkpoint in row.checkpoints] == [75.7, 73.1]
    assert not zoo.row("t53_r00").published


def test_audio():
    row = zoo.row("t54_r00")
    assert row.input_shape == (128, 80, 1)
    assert row.audio == zoo.Audio() and row.spatial is None
    with pytest.raises(ValueError, match="phase='validation'"):
        row.sampling.phase("validation")
    with pytest.raises(ValueError, match="no settings are published"):
        zoo.row("t53_r00").sampling.phase("train")
