"""The rows are complete, typed, and match the published tables."""

import collections
import dataclasses
import json
import re
from pathlib import Path

import pytest

import keras_video
from keras_video import zoo
from keras_video.weights.dialects import DIALECTS
from keras_video.zoo.clip_settings import PHASES
from keras_video.zoo.zoo_row import MMACTION2
from tests.loops import over

pytestmark = pytest.mark.unit

ROWS = tuple(row for row in zoo.rows() if row.origin == MMACTION2)
OTHERS = tuple(row for row in zoo.rows() if row.origin != MMACTION2)
EVERY = (*ROWS, *OTHERS, *zoo.rows(kind="unlisted"))
MODELS = tuple(row for row in EVERY if row.constructor is not None)
MMACTION2_MODELS = tuple(row for row in MODELS if row.origin == MMACTION2)
FRAMES = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "zoo" / "total_frames.json").read_text()
)
by_id = over(EVERY)
# Projects that publish no hashes of their files.
UNHASHED = ("PyTorchVideo", "SlowFast", "VideoMAE V2", "TensorFlow", "Hugging Face", "V-JEPA 2")


def count(attribute):
    return dict(collections.Counter(getattr(row, attribute) for row in ROWS))


def test_counts():
    assert len(ROWS) == 195
    assert len({row.id.split("_")[0] for row in ROWS}) == 55
    assert len({row.id for row in EVERY}) == len(EVERY) == 195 + 31 + len(OTHERS)
    assert sum(bool(row.checkpoints) for row in ROWS) == 182
    assert len({checkpoint.file for row in ROWS for checkpoint in row.checkpoints}) == 172
    assert count("kind") == {
        "model": 182, "test_variant": 6, "fusion": 4, "benchmark_summary": 2, "aggregate": 1,
    }  # fmt: skip
    assert count("family") == {
        "tsn": 67, "slowonly": 38, "tsm": 36, "slowfast": 12, "i3d": 10, "csn": 9, "r2plus1d": 4,
        "tanet": 3, "timesformer": 3, "tin": 3, "tpn": 3, "trn": 2, "x3d": 2, "audio": 2, "c3d": 1,
    }  # fmt: skip


@by_id
def test_models_state_everything_for_building_and_testing(row):
    if row.constructor is None:
        assert row.kind in ("fusion", "aggregate", "benchmark_summary")
        assert not row.checkpoints
        return
    assert row.sampling.test is not None
    assert row.views.clips >= 1
    assert len(row.input_shape) == (3 if row.modality == "Audio" else 4)
    assert (row.audio is None) == (row.modality != "Audio") == (row.normalize is not None)
    feature_extractor = row.arguments.get("include_top") is False
    assert (row.classes is None) == (row.score_average is None) == feature_extractor
    assert row.score_average in ("prob", "score", None)


@by_id
def test_hash_prefix_matches_the_file_name(row):
    for checkpoint in row.checkpoints:
        assert checkpoint.url.endswith("/" + checkpoint.file)
        if checkpoint.sha256_prefix is None:
            assert row.origin.startswith(UNHASHED)
            continue
        assert checkpoint.file.endswith(f"-{checkpoint.sha256_prefix}.pth")
        assert len(checkpoint.sha256_prefix) == 8
        int(checkpoint.sha256_prefix, 16)


@over(row for row in MODELS if row.sampling)
def test_input_shape_agrees_with_sampling(row):
    if row.modality == "Audio":
        assert row.input_shape == (row.audio.length, row.audio.mels, 1)
        return
    phase = "train" if row.sampling.train else "test"
    sampling, crop = row.sampling.phase(phase), row.spatial.phase(phase).crop
    if "segments" in row.arguments:
        frames = row.arguments["segments"]
        channels = 3 if row.modality == "RGB" else 2 * sampling.clip_len
        if phase == "train":
            assert sampling.num_clips == frames
    else:
        # Frames spread over the whole video are clips of one frame each.
        frames = sampling.clip_len if sampling.clip_len > 1 else sampling.num_clips
        channels = 3 if row.modality == "RGB" else 2
    assert row.input_shape == (frames, crop.size, crop.size, channels)
    assert row.test_input_shape[0] == row.views.frames


@over(sorted(FRAMES), name=str)
def test_sampling_draws_the_published_number_of_frames(identity):
    row = zoo.row(identity)
    *by_phase, with_crops = FRAMES[identity]
    for phase, frames in zip(PHASES, by_phase, strict=True):
        sampling = getattr(row.sampling, phase)
        drawn = None if sampling is None else sampling.total_frames(training=phase == "train")
        assert drawn == frames, phase
    if row.modality != "Audio":
        views, crop = row.views, row.spatial.test.crop
        assert views.crops == crop.views
        assert row.sampling.test.total_frames(training=False) * crop.views == with_crops
        stacked = row.sampling.test.clip_len if row.constructor == "TSN" else 1
        assert views.clips * views.crops * views.frames * stacked == with_crops


def test_trained_rows_state_their_training():
    trained = [row for row in MMACTION2_MODELS if row.published]
    assert len([row for row in ROWS if row in trained]) == 177
    for row in trained:
        assert row.optimizer.learning_rate > 0, row.id
        assert row.epochs > 0 and row.schedule.policy in ("step", "cosine"), row.id
        assert row.gradient_clip in ((None,) if row.family == "x3d" else (20, 40)), row.id
        assert all(getattr(row.spatial, phase) for phase in PHASES) if row.spatial else row.audio
    for row in MMACTION2_MODELS:
        if not row.published:
            assert row.optimizer is None and row.schedule is None and row.loss is None, row.id


def test_rows_of_other_projects_state_their_origin():
    assert len(OTHERS) == len({row.name for row in OTHERS})
    for row in OTHERS:
        free = row.license in ("Apache-2.0", "BSD-3-Clause", "MIT")
        # VideoMAE licenses are checked below; ViViT on the Hub has not been checked.
        assert free or row.family in ("videomae", "vivit"), row.id
        assert row.dialect in {dialect.name for dialect in DIALECTS}, row.id
        assert len(row.checkpoints) == 1 or row.origin == "VideoMAE's repository", row.id
        assert row.reported.top1 or row.dataset == "ig65m" or row.notes, row.id
        if row.published:
            adamw = row.optimizer.kind == "adamw"
            policy = "cosine" if adamw or row.family == "movinet" else "step"
            assert row.optimizer.learning_rate > 0 and row.schedule.policy == policy, row.id
            if row.family != "movinet" and not adamw:
                assert row.norm.synchronized == (row.origin == "torchvision 0.28"), row.id
        else:
            assert row.optimizer is None and row.spatial.train is None, row.id


@pytest.mark.parametrize(
    ("family", "rows"), [("mvit", 18), ("swin3d", 10), ("uniformer", 3), ("uniformer_v2", 23)]
)
def test_transformers_of_stages(family, rows):
    assert len(zoo.rows(family)) == rows
    for row in zoo.rows(family):
        assert row.arguments["size"] in ("tiny", "small", "base", "large")
        assert row.view_frames == row.input_shape[0]
        assert row.sampling.test.total_frames(training=False) == row.views.clips * row.view_frames


def test_rows_of_videomae_state_their_origin():
    others = [row for row in OTHERS if row.family == "videomae"]
    assert len(others) == len({row.name for row in others}) == 23
    free = {row.id: row.license for row in others if row.license != "CC-BY-NC-4.0"}
    assert free == {
        "mmaction2-1.2/vit-small-p16_videomaev2-vit-g-dist-k710-pre_16x4x1_kinetics-400": None,
        "mmaction2-1.2/vit-base-p16_videomaev2-vit-g-dist-k710-pre_16x4x1_kinetics-400": None,
        "videomaev2/vit_s_k710_dl_from_giant": "MIT",
        "videomaev2/vit_b_k710_dl_from_giant": "MIT",
    }
    for row in others:
        fine_tuned = row.id in (
            "mmaction2-1.2/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400",
            "mmaction2-1.2/vit-large-p16_videomae-k400-pre_16x4x1_kinetics-400",
        )
        # How the others were trained is not published.
        assert row.published == fine_tuned == (row.spatial.train is not None), row.id
        assert row.id in free or "the weights are for non-commercial use alone" in row.notes
        if row.label_map:
            assert row.classes == len(row.class_names), row.id


def test_transformers_state_the_fine_tuning_of_their_repositories():
    tuned = {row.id: row for row in OTHERS if row.optimizer and row.optimizer.kind == "adamw"}
    assert collections.Counter(row.family for row in tuned.values()) == {
        "videomae": 2, "swin3d": 6, "mvit": 5, "uniformer": 3, "uniformer_v2": 7
    }  # fmt: skip
    for row in tuned.values():
        assert (row.optimizer.beta_1, row.optimizer.beta_2) == (0.9, 0.999), row.id
        assert row.optimizer.epsilon == 1e-8 and not row.optimizer.norm_decay, row.id
        strong = row.family not in ("swin3d", "uniformer_v2")
        assert row.loss.label_smoothing == (0.1 if strong else 0), row.id
        assert row.repeated_augmentation == (2 if strong else 1), row.id
        assert (row.mixup_alpha, row.cutmix_alpha) == ((0.8, 1.0) if strong else (None, None))
        erasing = row.spatial.train.random_erasing
        assert (erasing and erasing.probability) == (0.25 if strong else None), row.id
    base = tuned["mmaction2-1.2/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400"]
    # 5e-4 for 256 videos; a step has 6 on each of 64 devices.
    assert base.optimizer.learning_rate == pytest.approx(5e-4 * base.batch_size / 256)
    assert base.batch_size == 384 and base.epochs == 75 and base.optimizer.weight_decay == 0.05
    assert base.optimizer.layer_decay == 0.75 and base.schedule.warmup_length == 5
    large = tuned["mmaction2-1.2/vit-large-p16_videomae-k400-pre_16x4x1_kinetics-400"]
    assert large.optimizer.learning_rate == pytest.approx(2e-3 * large.batch_size / 256)
    assert large.epochs == 35
    swin = [row for row in tuned.values() if row.family == "swin3d"]
    assert {row.optimizer.body_multiplier for row in swin} == {0.1}
    assert {row.optimizer.learning_rate / row.batch_size for row in swin} == {1e-3 / 64}
    maskfeat = [row for row in tuned.values() if "maskfeat" in row.id]
    assert [(row.gradient_clip, row.optimizer.layer_decay) for row in maskfeat] == [(5.0, 0.75)]
    plain = [row for row in tuned.values() if row.family == "mvit" and row not in maskfeat]
    assert {row.gradient_clip for row in plain} == {1.0}
    assert {row.optimizer.learning_rate / row.batch_size for row in maskfeat} == {9.6e-3 / 256}


def test_uniformer_v2_is_fine_tuned_from_clip_or_kinetics710():
    rows = {row.name: row for row in zoo.rows("uniformer_v2") if row.published}
    assert len(rows) == 7 and all("base" in name for name in rows)
    for name, row in rows.items():
        short = "kinetics710-pre" in name
        moments = row.dataset == "mit"
        assert row.epochs == (5 if short else 24 if moments else 55), name
        rate = 2e-6 if short else 2e-5 if moments else 1e-5
        assert row.optimizer.learning_rate == rate and row.gradient_clip == 20, name
        assert row.batch_size == (512 if moments else 256), name
        assert row.schedule.after_warmup and row.schedule.warmup_length == (1 if short else 5), name
        assert row.schedule.min_rate_ratio == row.schedule.warmup_ratio, name
        train = row.sampling.train
        assert (train.clip_len, train.num_clips) == (1, 8), name


def test_pretrainings_are_videomaes():
    rows = [row for row in (*OTHERS, *zoo.rows(kind="example")) if row.pretraining]
    assert [row.id.removeprefix("mmaction2-1.2/") for row in rows] == [
        "vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400",
        "vit-large-p16_videomae-k400-pre_16x4x1_kinetics-400",
        "x_videomae",
    ]
    for row, batch, layers in zip(rows[:2], (2048, 512), (4, 12), strict=True):
        ready = zoo.pretrained(row)
        assert ready.batch_size == batch
        assert ready.optimizer.learning_rate == pytest.approx(1.5e-4 * batch / 256)
        assert (ready.optimizer.beta_2, ready.epochs) == (0.95, 1601)
        assert (row.pretraining.mask_ratio, row.pretraining.decoder_layers) == (0.9, layers)
        assert ready.spatial.train.crop.scales == (1, 0.875, 0.75, 0.66)
        assert ready.spatial.test == row.spatial.test
    with pytest.raises(ValueError, match="states no masked pretraining"):
        zoo.pretrained(zoo.row("x_swin3d"))


def test_averaging_follows_the_family():
    score = {row.family for row in MMACTION2_MODELS if row.score_average == "score"}
    assert score == {"tsn", "tin", "c3d"}
    assert {row.family for row in MMACTION2_MODELS if row.score_average == "prob"}.isdisjoint(score)


def test_augmentations_in_use():
    extras = ("rotate", "pixel_dropout", "color_jitter", "rand_augment", "aug_mix")
    rows = [row for row in EVERY if row.origin == MMACTION2]
    rows_by_augmentation = {
        extra: [row.id for row in rows if row.spatial and getattr(row.spatial.train, extra, None)]
        for extra in extras
    }
    timm = [row for row in EVERY if row not in rows and row.spatial.train]
    timm = [row for row in timm if row.spatial.train.rand_augment]
    origins = collections.defaultdict(set)
    for row in timm:
        origins[row.spatial.train.rand_augment.origin].add(row.family)
    assert origins.keys() == {"timm", "pytorchvideo"}
    assert origins["pytorchvideo"] == {"mvit", "uniformer_v2"}
    assert rows_by_augmentation == {
        "rotate": ["u02"],
        "pixel_dropout": ["u02"],
        "color_jitter": ["t26_r00", "t26_r01", "t27_r00"],
        "rand_augment": ["t32_r02", "t32_r03", "t32_r05", "u22"],
        "aug_mix": ["t32_r04"],
    }


def test_mirrored_labels_are_pairs_of_left_and_right():
    for row in MODELS:
        train = row.spatial and row.spatial.train
        if train and train.flip_labels:
            names = row.class_names
            for left, right in train.flip_labels:
                assert names[left].lower().replace("left", "right") == names[right].lower().replace(
                    "left", "right"
                )
                assert names[left] != names[right]


def test_class_names_fit_the_classes():
    without = {row.dataset for row in MMACTION2_MODELS if row.classes and row.class_names is None}
    assert without == {"mini_kinetics200", "gym99"}
    assert zoo.row("t15_r00").classes == 400
    assert len(zoo.row("t52_r00").class_names) == 739


def test_references_between_rows_resolve_to_models():
    for row in ROWS:
        parts = row.fusion.components if row.fusion else row.aggregate_of
        for identity in (*parts, *([row.trained_by] if row.trained_by else [])):
            assert zoo.row(identity).checkpoints, row.id
    assert zoo.row("t41_r09").fusion == zoo.Fusion(("t41_r07", "t41_r08"), (1.0, 1.0))
    assert len(zoo.row("t52_r06").aggregate_of) == 6
    assert zoo.row("t43_r01").trained_by == "t43_r00"


@pytest.mark.parametrize(
    ("identity", "parameters"),
    [
        ("t00_r00", 78_409_573),
        ("t01_r07", 33_016_592),
        ("t08_r06", 34_566_488),
        ("t21_r01", 25_134_670),
        ("t23_r00", 23_895_566),
        ("t26_r01", 91_498_336),
        ("t41_r04", 24_349_584),
        ("t51_r02", 23_939_784),
        ("t52_r04", 11_325_795),
        ("t53_r00", 3_794_322),
        ("t22_r00", None),
    ],
)
def test_parameters(identity, parameters):
    assert zoo.row(identity).parameters == parameters


MOVINETS = zoo.rows("movinet")


@pytest.mark.parametrize("row", MOVINETS, ids=lambda row: row.id)
def test_movinets_state_their_training_and_test(row):
    assert row.test_input_shape[0] == row.views.frames == row.sampling.test.clip_len
    assert row.input_shape[0] == row.sampling.train.clip_len
    assert row.input_shape[1] == row.spatial.train.crop.size == row.spatial.test.crop.size
    assert row.batch_size == 1024 and row.epochs == 240
    assert row.optimizer.kind == "rmsprop" and row.loss.label_smoothing == 0.1
    assert row.normalize == zoo.Normalize((0.0,) * 3, (255.0,) * 3)
    assert len(row.class_names) == 600
    assert row.checkpoint.url.endswith(f"/{row.checkpoint.file}")
    assert row.checkpoint.file == f"{row.name}.tar.gz" and row.checkpoint.sha256_prefix is None


def test_there_are_twelve_movinets():
    variants = {(row.arguments["variant"], row.arguments.get("stream", False)) for row in MOVINETS}
    assert len(MOVINETS) == len(variants) == 12


def test_every_field_of_a_row_is_used():
    package = Path(keras_video.__file__).parent
    files = [path for path in package.rglob("*.py") if path.name != "zoo_row.py"]
    code = "\n".join(path.read_text() for path in files)
    own = (package / "zoo" / "zoo_row.py").read_text()
    for field in dataclasses.fields(zoo.Row):
        read = rf"\.{field.name}\b(?! import)"
        assert re.search(read, code) or re.search(rf"self{read}", own), field.name
