"""Every architecture's checkpoint in its published layout: served, fetched, checked, loaded."""

import dataclasses
import hashlib
import logging

import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.applications import pretrained
from keras_video.weights import FetchError, WeightsError
from keras_video.zoo import building
from keras_video.zoo.zoo_row import MMACTION2
from tests.torch_files import save_checkpoint
from tests.weights import published
from tests.weights.loopback import Server
from tests.zoo.test_row_runs import PUBLISHED, WEIGHTLESS, architecture

ROWS = [zoo.row(name) for name in published.LAYOUTS]


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """`serve(state, nest)` writes a checkpoint and returns its URL and hash."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERAS_VIDEO_MIRROR", raising=False)
    monkeypatch.delenv("KERAS_VIDEO_WEIGHTS", raising=False)
    server = Server()

    def start(state, nest="state_dict"):
        path = tmp_path / "made.pth"
        save_checkpoint(path, state, nest=nest)
        server.content = path.read_bytes()
        path.unlink()
        return server.url, hashlib.sha256(server.content).hexdigest()[:8]

    yield start
    server.shutdown()
    server.server_close()
    keras.backend.clear_session()


def in_zoo(monkeypatch, row):
    """Registers this row in the zoo under its id."""
    monkeypatch.setattr(zoo, "row", lambda name: {row.id: row}[name])


def small(row):
    """The smallest clip that the row's weights allow."""
    fixed = row.constructor in ("C3D", "TimeSformer", "AudioResNet")
    frames, height, width, *channels = row.input_shape
    if fixed or row.arguments.get("backbone") == "swin_base":
        return row.input_shape
    return (frames, 64, 64, *channels)


def layout(row):
    """What determines the names and shapes of a row's weights; pooling has none."""
    return architecture(row, ignored=(*WEIGHTLESS, "first_pool"))


def test_every_architecture_has_a_layout():
    known = {layout(row) for row in ROWS}
    ours = [row for row in PUBLISHED if row.origin == MMACTION2]
    missing = {layout(row) for row in ours} - known
    # X3D-L can only be trained: MMAction2 has no such network, and no weights are published.
    assert {name for name, *_ in missing} <= {"X3D", "AudioResNet", "AVSlowFast"}
    assert not [row for row in ours if row.checkpoints and layout(row) in missing]


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_checkpoint_is_fetched_checked_converted_and_loaded(row, serve, monkeypatch, tmp_path):
    state = published.state(row.id)
    url, prefix = serve(state)
    checkpoint = zoo.Checkpoint(url, url.rpartition("/")[2], prefix)
    classes = len(state[last_weight(state)])
    served = dataclasses.replace(row, checkpoints=(checkpoint,), trained_by=None, classes=classes)
    in_zoo(monkeypatch, served)
    model = served.model(weights=True, input_shape=small(row))
    assert len(list((tmp_path / "keras/keras_video/converted").iterdir())) == 1
    check_loaded(model, state)


def last_weight(state):
    """The name of the classifier's kernel; TRN's follow the relation modules."""
    heads = [name for name in state if head_weight(name)]
    return ([name for name in heads if "consensus" in name] or heads)[-1]


def head_weight(name):
    return name.startswith("cls_head.") and name.endswith("weight")


def check_loaded(model, state):
    """Checks that the model has exactly the numbers of the checkpoint."""
    expected = [array for name, array in state.items() if not published.COUNTERS.search(name)]
    assert digest(model.get_weights()) == digest(expected)


def digest(arrays):
    """Count, sum and sum of squares of the numbers' bits, independent of their order."""
    count, total, squares = 0, 0, 0
    for array in arrays:
        bits = np.ascontiguousarray(array).ravel().view(np.uint32).astype(np.uint64)
        count += bits.size
        total += int(bits.sum())
        squares += int((bits * bits).sum())
    return count, total, squares % 2**64


@pytest.mark.parametrize(
    "nest, rename",
    [("state_dict", "{}"), (None, "{}"), ("state_dict", "module.{}"), (None, "module.{}")],
)
def test_dialects_of_one_checkpoint(nest, rename, tmp_path):
    row = zoo.row("t30_r14")
    state = published.state(row.id)
    path = tmp_path / "made.pth"
    save_checkpoint(path, {rename.format(name): value for name, value in state.items()}, nest=nest)
    check_loaded(row.model(weights=str(path), input_shape=small(row)), state)


def test_a_file_with_other_content_is_rejected(serve, monkeypatch):
    row = zoo.row("t30_r14")
    url, _ = serve(published.state(row.id))
    wrong = zoo.Checkpoint(url, url.rpartition("/")[2], "00000000")
    served = dataclasses.replace(row, checkpoints=(wrong,))
    in_zoo(monkeypatch, served)
    with pytest.raises(FetchError, match="00000000"):
        served.model(weights=True, input_shape=small(row))


def start_states():
    """`{file with initial weights: function that creates it}` under the names of its library."""
    image = published.torchvision_resnet
    return {
        "resnet18-5c106cde.pth": lambda: image("t52_r00"),
        "resnet50-19c8e357.pth": lambda: image("t03_r00"),
        "resnet101-5d3b4d8f.pth": lambda: image("t50_r00"),
        "densenet161-8d451a50.pth": lambda: published.torchvision_densenet("t42_r01"),
        "resnext101_32x4d_batch256_imagenet_20200708-87f2d1c9.pth": lambda: published.mmcls(
            "t42_r00", 2048
        ),
        "mobilenet_v2_batch256_imagenet_20200708-3b2dc3af.pth": lambda: published.mmcls(
            "t30_r14", 1280
        ),
        "swin_base_patch4_window7_224_22kto1k.pth": lambda: published.timm_swin("t42_r02"),
        "vit_base_patch16_224.pth": published.timm_vit,
        "c3d_sports1m_pretrain_20201016-dcc47ddc.pth": lambda: published.body(
            "t00_r00", published.BARE
        ),
        "ircsn_from_scratch_r50_ig65m_20210617-ce545a37.pth": lambda: published.body(
            "t01_r00", published.BARE
        ),
        "ircsn_from_scratch_r152_sports1m_20210617-bcc9c0dd.pth": lambda: published.state(
            "t01_r02"
        ),
        "ircsn_from_scratch_r152_ig65m_20200807-771c4135.pth": lambda: published.body(
            "t01_r02", published.BARE
        ),
        "ipcsn_from_scratch_r152_sports1m_20210617-7a7cc5b9.pth": lambda: published.state(
            "t01_r05"
        ),
        "ipcsn_from_scratch_r152_ig65m_20210617-c4b99d38.pth": lambda: published.state("t01_r05"),
    }


# The keys under which files nest their state.
NESTS = {"swin_base_patch4_window7_224_22kto1k.pth": "model"}

# Layers of a network that its initial weights lack.
NEW_LAYERS = {
    "I3D": ("non_local_block",),
    "SlowOnly": ("non_local_block",),
    "TSM": ("non_local_block",),
    "TIN": ("interlace",),
    "TANet": ("tam",),
    "TPN": ("neck",),
    "TRN": ("consensus",),
    "TimeSformer": ("temporal_fc", "embedding/time_embed"),
}


def starts():
    """One row per architecture and file of initial weights."""
    rows = {}
    for row in PUBLISHED:
        if row.initial_weights is not None and row.initial_weights.part == "backbone":
            rows.setdefault((architecture(row), row.initial_weights.file), row)
    return list(rows.values())


def test_every_file_of_initial_weights_is_covered():
    assert {row.initial_weights.file for row in starts()} == set(start_states())


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", starts(), ids=lambda row: f"{row.id}-{row.initial_weights.trained_on}"
)
def test_training_starts_from_published_weights(row, serve):
    file = row.initial_weights.file
    url, _ = serve(start_states()[file](), NESTS.get(file, "state_dict"))
    started_row = dataclasses.replace(
        row, initial_weights=dataclasses.replace(row.initial_weights, url=url)
    )
    model = building.build_row_model(row, None, {"input_shape": small(row)})
    monkey = pytest.MonkeyPatch()
    monkey.setattr(zoo.InitialWeights, "sha256_prefix", None)
    fresh = pretrained.load_row_initial_weights(model, started_row)
    monkey.undo()
    expected = ("fc_cls/", *NEW_LAYERS.get(row.constructor, ()))
    unexpected = [key for key in fresh if not any(part in key for part in expected)]
    assert not unexpected
    assert any(key.startswith("fc_cls/") for key in fresh)


@pytest.mark.slow(every_change=True)
@pytest.mark.parametrize("name, source", [("t36_r00", "t30_r00"), ("t25_r00", "t30_r00")])
def test_training_starts_from_another_rows_model(name, source, serve):
    row = zoo.row(name)
    assert row.initial_weights.part == "model"
    url, _ = serve(published.state(source))
    started_row = dataclasses.replace(
        row, initial_weights=dataclasses.replace(row.initial_weights, url=url)
    )
    model = building.build_row_model(row, None, {"input_shape": small(row)})
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(zoo.InitialWeights, "sha256_prefix", None)
        fresh = pretrained.load_row_initial_weights(model, started_row)
    new = ("fc_cls/", *NEW_LAYERS.get(row.constructor, ()))
    assert all(any(part in key for part in new) for key in fresh)


def test_a_checkpoint_with_other_classes_initializes_all_but_the_classifier(tmp_path, caplog):
    row = zoo.row("t30_r14")
    state = published.state(row.id)
    path = tmp_path / "made.pth"
    save_checkpoint(path, state)
    with caplog.at_level(logging.WARNING):
        model = zoo.initial_model(row, str(path), classes=3, input_shape=small(row))
    assert "made.pth: not loaded, with initial weights: fc_cls/kernel, fc_cls/bias" in caplog.text
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv1_conv").kernel)
    name = "backbone.conv1.conv.weight"
    np.testing.assert_array_equal(kernel, state[name].transpose(2, 3, 1, 0))
    same = zoo.initial_model(row, str(path), input_shape=small(row))
    check_loaded(same, state)


@pytest.mark.slow(every_change=True)
def test_a_saved_model_with_other_classes_initializes_all_but_the_classifier(tmp_path, caplog):
    row = zoo.row("x_tsn")
    path = tmp_path / "saved.keras"
    saved = row.model(classes=4)
    saved.save(path)
    with caplog.at_level(logging.WARNING):
        model = zoo.initial_model(row, str(path), classes=3)
    assert (
        "saved.keras: not loaded, with initial weights: fc_cls/kernel, fc_cls/bias." in caplog.text
    )
    for ours, theirs in zip(model.weights[:-2], saved.weights[:-2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    same = zoo.initial_model(row, str(path), classes=4)
    for ours, theirs in zip(same.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow(every_change=True)
def test_a_saved_model_with_another_body_is_rejected(tmp_path):
    row = zoo.row("x_tsn")
    path = tmp_path / "saved.keras"
    row.model(backbone="resnet34").save(path)
    with pytest.raises(WeightsError, match="unexpected in the checkpoint: layer1_2_conv1_conv"):
        zoo.initial_model(row, str(path))


def test_a_row_trained_from_scratch_has_no_initial_weights():
    with pytest.raises(ValueError, match="starts from random weights"):
        zoo.initial_model(zoo.row("t10_r00"), "initial", input_shape=(4, 32, 32, 3))


def test_a_dataset_selects_the_best_row_for_the_arguments(caplog):
    """The row is selected by the arguments and named."""
    chosen = []
    with pytest.MonkeyPatch.context() as monkey, caplog.at_level(logging.INFO, logger="absl"):
        monkey.setattr(pretrained, "load_published", lambda model, row, head: chosen.append(row))
        from keras_video.applications import TSM

        shape = (8, 64, 64, 3)
        model = TSM(weights="kinetics400", input_shape=shape)
        attended = TSM(weights="kinetics400", input_shape=shape, non_local="gaussian")
    assert model.preprocessing["row"] == "t30_r07"  # 74.55, the best of ResNet-50
    assert attended.preprocessing["row"] == "t30_r12"
    assert "loading tsm_r50_dense_1x1x8_100e_kinetics400_rgb (t30_r07)" in caplog.text
    assert [row.checkpoint.url for row in chosen] == [
        zoo.row(name).checkpoint.url for name in ("t30_r07", "t30_r12")
    ]
