"""`keras_video.load` of checkpoints, rows and saved models."""

import dataclasses
import hashlib
import json
import logging

import keras
import numpy as np
import pytest

import keras_video
from keras_video import zoo
from keras_video.applications import TSN, configs, loading
from keras_video.applications.architectures import find_architecture
from keras_video.weights import WeightsError
from keras_video.weights.dialects import recognize
from tests import modern_reference, torch_files
from tests.weights import published

# Arguments that names and shapes do not determine.
GIVEN = {
    "ptv_slow_r50": {},
    "ptv_slowfast_r50": {"tau": 4, "alpha": 4},
    "ptv_slowfast_16x8_r101_50_50": {"tau": 4, "alpha": 4},
    "ptv_x3d_xs": {},
    "ptv_x3d_m": {},
    "ptv_csn_r101": {},
    "ptv_i3d_r50": {},
    "sf_slowfast_8x8_r50": {"tau": 4, "alpha": 4},
    "sf_i3d_nln_8x8_r50": {},
    "hf_timesformer_divided": {"num_heads": 12},
    "timesformer_divided": {"num_heads": 12},
    "tsm_r50": {"segments": 8},
    "tv_r3d_18": {},
    "tv_r2plus1d_18": {},
    "tv_s3d": {},
    "ptv_c2d_r50": {},
    "hf_videomae_base": {},
    "mm_videomae_base": {},
    "mm_videomaev2_small": {},
    "hf_vivit_base": {"input_shape": (8, 64, 96, 3)},
    "hf_vjepa2_large_depth6": {},
}
QUICK = ("ptv_x3d_xs",)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in GIVEN]
)
def test_files_of_other_projects(name, tmp_path):
    case = modern_reference.load(name)
    if modern_reference.suffix(case) == ".safetensors":
        pytest.importorskip("safetensors")
    path = case.write(tmp_path)
    if GIVEN[name]:
        with pytest.raises(ValueError) as error:
            keras_video.load(path)
        listed = (
            f"keras_video.load(file, {', '.join(f'{argument}=...' for argument in GIVEN[name])})"
        )
        assert listed in str(error.value)
    clips = case.clips()
    arguments = {"input_shape": clips.shape[1:], **GIVEN[name]}
    model = keras_video.load(path, classifier_activation=None, **arguments)
    modern_reference.assert_computes(model, case, clips, {})


@pytest.mark.parametrize("name", [name for name, arguments in GIVEN.items() if arguments])
def test_undetermined_arguments_are_listed(name, tmp_path):
    case = modern_reference.load(name)
    state = {key: np.broadcast_to(np.float32(0), shape) for key, shape in case.facts["manifest"]}
    dialect = recognize(state)
    architecture = find_architecture(state, dialect)
    with pytest.raises(ValueError) as error:
        loading.resolve_arguments(tmp_path / "file.pth", architecture, dialect, {})
    assert "file.pth is a " + architecture.constructor in str(error.value)
    for argument in GIVEN[name]:
        assert f"{argument}=..." in str(error.value)


def test_a_configuration_next_to_the_file_is_read(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": 12, "hidden": 1}))
    assert configs.facts_beside(tmp_path / "model.safetensors") == {"num_heads": 12}
    clip = {"video_size": [32, 224, 224], "num_channels": 3}
    assert configs.clip_shape(clip) == (32, 224, 224, 3)
    assert configs.clip_shape({"num_frames": 8, "image_size": 96}) == (8, 96, 96, 3)
    assert configs.clip_shape({"frames_per_clip": 16, "crop_size": 256}) == (16, 256, 256, 3)
    assert configs.clip_shape({"num_frames": None, "image_size": 96}) is None
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="config.json: expected JSON"):
        configs.facts_beside(tmp_path / "model.safetensors")


MMACTION2 = """
model = dict(type='Recognizer3D', backbone=dict(type='ResNet3dSlowFast', resample_rate=8,
    speed_ratio=4, channel_ratio=8), cls_head=dict(num_segments=3))
"""
SLOWFAST = """
DATA:
  NUM_FRAMES: 32
SLOWFAST:
  ALPHA: 4
  BETA_INV: 8
"""


@pytest.mark.parametrize(
    ("tree", "facts"),
    [
        ({"meta": {"config": MMACTION2}}, {"tau": 8, "alpha": 4, "segments": 3}),
        ({"meta": {"cfg": "backbone=dict(type='C2D')"}}, {"temporal_pool": True}),
        ({"meta": {"cfg": "model=dict(type='Recognizer2D')"}}, {"temporal_pool": False}),
        ({"meta": {"cfg": "a=dict(num_segments=8), b=dict(num_segments=4)"}}, {}),
        ({"meta": {"cfg": 5, "epoch": 1}, "cfg": None}, {}),
        ({"cfg": SLOWFAST}, {"alpha": 4, "tau": 4}),
        ({"cfg": "MODEL:\n  ARCH: c2d\n"}, {"temporal_pool": True}),
        ({"cfg": "MODEL:\n  ARCH: c2d_nopool\n"}, {"temporal_pool": False}),
    ],
)
def test_configurations_inside_a_file_are_read(tmp_path, tree, facts):
    path = tmp_path / "a.pth"
    torch_files.save_tree(path, {**tree, "state_dict": {"a": np.zeros(1, "float32")}})
    assert configs.facts_inside(path) == facts


def frames_file(folder, text=None):
    """A checkpoint of MMAction2's 2D ResNet-50, the network of both TSN and C2D."""
    state = published.state("t03_r00")
    meta = {} if text is None else {"meta": {"cfg": text}}
    torch_files.save_tree(folder / "frames.pth", {**meta, "state_dict": state})
    return folder / "frames.pth"


def test_a_tie_of_two_networks_is_reported_and_resolved(tmp_path):
    path = frames_file(tmp_path)
    state, dialect = published.state("t03_r00"), recognize(published.state("t03_r00"))
    architecture = find_architecture(state, dialect)
    with pytest.raises(
        ValueError, match=r"a C2D, which pools frames by two, or a TSN.*_pool=\.\.\."
    ):
        loading.resolve_arguments(path, architecture, dialect, {})
    c2d = {"depth": 50, "temporal_pool": True, "stem_padding": False}
    assert loading.resolve_arguments(path, architecture, dialect, {"temporal_pool": True}) == (
        "C2D",
        c2d,
    )
    tsn = ("TSN", {"backbone": "resnet50"})
    assert loading.resolve_arguments(path, architecture, dialect, {"temporal_pool": False}) == tsn
    segments = loading.resolve_arguments(path, architecture, dialect, {"segments": 8})
    assert segments == ("TSN", {"backbone": "resnet50", "segments": 8})
    path = frames_file(tmp_path, "model=dict(type='Recognizer3D', backbone=dict(type='C2D'))")
    assert loading.resolve_arguments(path, architecture, dialect, {}) == ("C2D", c2d)
    path = frames_file(tmp_path, "model=dict(type='Recognizer2D')")
    assert loading.resolve_arguments(path, architecture, dialect, {}) == tsn


@pytest.fixture
def mobile(tmp_path):
    """A checkpoint of MMAction2's TSM on MobileNetV2."""
    path = tmp_path / "tsm.pth"
    torch_files.save_checkpoint(path, published.state("t30_r14"))
    return path


SMALL = {"input_shape": (8, 32, 32, 3)}


def test_a_row_is_recognized_by_the_hash_of_its_file(mobile, monkeypatch):
    row = zoo.row("t30_r14")
    prefix = hashlib.sha256(mobile.read_bytes()).hexdigest()[:8]
    served = dataclasses.replace(row, checkpoints=(zoo.Checkpoint("", "other.pth", prefix),))
    monkeypatch.setattr(zoo, "rows", lambda **_: (served,))
    model = keras_video.load(mobile, **SMALL)
    assert model.preprocessing["row"] == row.id
    assert model.class_names == list(row.class_names)
    assert model.input_shape == (None, 8, 32, 32, 3)


def test_a_file_with_a_rows_name_but_other_content_is_identified_by_shapes(
    mobile, monkeypatch, caplog
):
    row = zoo.row("t30_r14")
    served = dataclasses.replace(row, checkpoints=(zoo.Checkpoint("", mobile.name, "00000000"),))
    monkeypatch.setattr(zoo, "rows", lambda **_: (served,))
    with caplog.at_level(logging.WARNING):
        model = keras_video.load(mobile, segments=8, **SMALL)
    assert "tsm.pth has the file name of the checkpoint of" in caplog.text
    assert model.preprocessing is None
    assert model.output_shape == (None, 400)


def test_files_of_the_same_name_are_distinguished_by_classes(tmp_path, monkeypatch, caplog):
    """Rows of two projects whose files share a name and have no hash: the matching one is used."""
    state = published.state("t30_r14")
    for leaf in ("weight", "bias"):
        state[f"cls_head.fc_cls.{leaf}"] = state[f"cls_head.fc_cls.{leaf}"][:174]
    torch_files.save_checkpoint(tmp_path / "tsm.pth", state)
    row, checkpoint = zoo.row("t30_r14"), zoo.Checkpoint("", "tsm.pth", None)
    first = dataclasses.replace(row, checkpoints=(checkpoint,))
    second = dataclasses.replace(
        row, id="second", classes=174, label_map="sthv2", checkpoints=(checkpoint,)
    )
    monkeypatch.setattr(zoo, "rows", lambda **_: (first, second))
    with caplog.at_level(logging.WARNING):
        model = keras_video.load(tmp_path / "tsm.pth", **SMALL)
    assert model.preprocessing["row"] == "second"
    assert model.class_names == list(zoo.label_map("sthv2"))
    assert "has a checkpoint of this name, but for another network" in caplog.text


def test_a_non_path_is_rejected():
    with pytest.raises(ValueError, match="received 5, expected a path, an address, or a row"):
        keras_video.load(5)


def test_a_saved_model(tmp_path):
    model = TSN(backbone="resnet18", input_shape=(2, 32, 32, 3), classes=2)
    model.class_names = ["a", "b"]
    model.save(tmp_path / "saved.keras")
    loaded = keras_video.load(tmp_path / "saved.keras")
    assert loaded.class_names == ["a", "b"]
    for saved, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, other)
    with pytest.raises(ValueError, match="takes no classes"):
        keras_video.load(tmp_path / "saved.keras", classes=2)
    with pytest.raises(FileNotFoundError, match="none.keras"):
        keras_video.load(tmp_path / "none.keras")


def test_a_row(monkeypatch):
    calls = []
    monkeypatch.setattr(zoo.Row, "model", lambda self, **kw: calls.append((self.id, kw)))
    keras_video.load("tsn_r50_1x1x3_100e_kinetics400_rgb", classes=5)
    row = zoo.row("tsn_r50_1x1x3_100e_kinetics400_rgb")
    assert calls == [(row.id, {"weights": True, "classes": 5})]


def test_a_body_without_a_classifier_gives_features(tmp_path, caplog):
    state = {k: v for k, v in published.state("t30_r14").items() if not k.startswith("cls_head")}
    torch_files.save_checkpoint(tmp_path / "body.pth", state)
    with caplog.at_level(logging.WARNING):
        model = keras_video.load(tmp_path / "body.pth", segments=8, pooling="avg", **SMALL)
    assert model.output_shape == (None, 1280)
    assert "body.pth has no classifier" in caplog.text


def test_files_that_cannot_be_loaded(tmp_path):
    with pytest.raises(FileNotFoundError, match="'none' is neither a file nor the name"):
        keras_video.load("none")
    with pytest.raises(FileNotFoundError, match="none.pth"):
        keras_video.load(tmp_path / "none.pth")
    (tmp_path / "a.weights.h5").write_bytes(b"")
    with pytest.raises(ValueError, match="build the model"):
        keras_video.load(tmp_path / "a.weights.h5")
    odd = {"backbone.conv1.conv.weight": np.zeros((4, 3, 9, 9, 9), np.float32)}
    torch_files.save_checkpoint(tmp_path / "odd.pth", odd)
    with pytest.raises(WeightsError, match=r"odd\.pth: .*dialect mmaction2, but shapes of none"):
        keras_video.load(tmp_path / "odd.pth")
    with pytest.raises(ValueError, match="dialect='caffe'"):
        keras_video.load(tmp_path / "odd.pth", dialect="caffe")
    keras.backend.clear_session()
