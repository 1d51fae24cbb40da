"""A masked pretraining run: its results, and its exact resume."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video import zoo
from keras_video.applications import pretrained
from keras_video.cli.main import main as command
from keras_video.training import MaskedAutoencoder, PretrainSettings, pretrain, pretrain_run
from keras_video.training.records import read_log
from keras_video.weights.loading import variables_by_key
from tests import torch_files
from tests.applications import families
from tests.training.test_masked_autoencoder import published_state
from tests.videos import moving_gradient, write_video

ROW = "x_videomae"
SCRIPT = Path(__file__).with_name("pretrained_run.py")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    for number in range(4):
        write_video(folder / f"{number}.mp4", moving_gradient(12 + number, 56, 64))
    return folder


def small(monkeypatch, **changes):
    """The example row with two small blocks, so that it compiles faster."""
    row = zoo.row(ROW)
    arguments = {**row.arguments, "embed_dim": 24, "num_layers": 2, "mlp_dim": 48}
    settings = dataclasses.replace(row.pretraining, decoder_layers=1, **changes)
    row = dataclasses.replace(row, arguments=arguments, pretraining=settings)
    monkeypatch.setattr(zoo, "row", lambda name: row)
    return row


def test_a_run_writes_an_encoder_for_fine_tuning(videos, tmp_path, monkeypatch):
    row = small(monkeypatch, decoder_mask_ratio=0.5, repeated_augmentation=2)
    optimizers, compiled = [], MaskedAutoencoder.compile

    def compile_model(model, optimizer, *arguments, **options):
        optimizers.append(optimizer)
        compiled(model, optimizer, *arguments, **options)

    monkeypatch.setattr(MaskedAutoencoder, "compile", compile_model)
    flags = [f"--videos={videos}", "--batch_size=2", "--epochs=2", f"--work_dir={tmp_path}/run"]
    assert command(["pretrain", f"--row={ROW}", *flags]) == 0
    run = tmp_path / "run"
    report = json.loads((run / "metrics.json").read_text())
    losses = [float(loss) for loss in read_log(run / "log.csv")["loss"]]
    assert report == {
        "loss": losses[1], "first_loss": losses[0], "epochs": 2, "videos": 4
    }  # fmt: skip
    model = keras.models.load_model(run / "model.keras")
    assert isinstance(model, MaskedAutoencoder)
    assert (model.mask_ratio, model.decoder_mask_ratio, model.decoder_layers) == (0.75, 0.5, 1)
    assert model.mean == row.normalize.mean and model.std == row.normalize.std
    optimizer = optimizers[0]
    assert type(optimizer).__name__ == "AdamW" and optimizer.beta_2 == 0.95
    classifier = row.model(classes=3)
    pretrained.load_initial_file(classifier, run / "encoder.keras")
    variables = variables_by_key(classifier)
    for key, array in model.encoder_weights.items():
        np.testing.assert_array_equal(variables[key], array, err_msg=key)
    encoder = keras.models.load_model(run / "encoder.keras")
    assert encoder.preprocessing["row"] == ROW


def test_a_checkpoint_starts_a_pretraining_and_settings_are_applied(videos, tmp_path, monkeypatch):
    row = small(monkeypatch)
    start = pretrain_run.autoencoder(row)[1]
    families.randomize(start)
    checkpoint = tmp_path / "start.pth"
    torch_files.save_checkpoint(checkpoint, published_state(start, "videomae_pretraining"))
    fits, datasets = [], []
    monkeypatch.setattr(keras.Model, "fit", lambda model, data, **options: fits.append(options))
    monkeypatch.setattr(pretrain_run, "_finish", lambda *arguments: arguments[1])
    real = pretrain_run.data.masked_dataset

    def dataset(records, **options):
        datasets.append((records, options))
        return real(records, **options)

    monkeypatch.setattr(pretrain_run.data, "masked_dataset", dataset, raising=False)
    settings = PretrainSettings(
        ROW, str(videos), work_dir=str(tmp_path / "run"), epochs=3, batch_size=4, size=32, seed=7,
        learning_rate=0.5, on_error="skip", weights=str(checkpoint),
    )  # fmt: skip
    model = pretrain(settings)
    for variable, started in zip(model.weights, start.weights, strict=True):
        np.testing.assert_array_equal(variable, started, err_msg=variable.path)
    records, options = datasets[0]
    assert len(records) == 4
    assert options["batch_size"] == 4 and options["seed"] == 7 and options["on_error"] == "skip"
    assert options["masks"]["mask"].grid == model.grid == (4, 4, 4)
    assert options["masks"]["mask"].ratio == 0.75 and options["repeats"] == 4
    assert fits[0]["epochs"] == 3
    kinds = {type(callback).__name__ for callback in fits[0]["callbacks"]}
    assert {"Restore", "Backup", "EpochSeed", "EpochLog", "LearningRateScaling"} <= kinds
    rate = model.optimizer._learning_rate
    assert rate.learning_rate == 0.5 and rate.epochs == 3
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["seed"] == 7


def test_every_setting_has_a_flag_of_the_same_default():
    from keras_video.cli import pretrain as module
    from keras_video.cli.main import module_flags

    defaults = module_flags(module).defaults()
    defaults.pop("traceback")
    assert defaults.pop("row") is None
    settings = dataclasses.asdict(PretrainSettings("any"))
    settings.pop("row")
    assert defaults == settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"row": "x_swin3d"}, "states no masked pretraining"),
        ({"row": ROW, "epochs": 0}, "epochs=0: expected at least 1"),
        ({"row": ROW, "on_error": "hide"}, "on_error='hide'"),
        ({"row": ROW, "data_root": "here"}, "data_root=here: has no effect without videos"),
        ({"row": ROW, "learning_rate": 0.0}, "learning_rate=0.0: expected a positive rate"),
    ],
)
def test_invalid_settings_are_rejected(settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        pretrain(PretrainSettings(**settings))
    assert not list(tmp_path.iterdir())


def start(folder, videos, *arguments):
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, str(SCRIPT), str(folder), str(videos), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_killed_run_ends_like_an_uninterrupted_one(videos, tmp_path):
    whole = start(tmp_path / "whole", videos)
    assert whole.returncode == 0, whole.stderr
    killed = start(tmp_path / "killed", videos, "2")
    assert killed.returncode != 0
    again = start(tmp_path / "killed", videos)
    assert again.returncode == 0, again.stderr
    assert "Resuming with epoch 3" in again.stdout
    whole, killed = (np.load(tmp_path / name / "final.npz") for name in ("whole", "killed"))
    assert whole.files == killed.files and len(whole.files) > 20
    for name in whole.files:
        np.testing.assert_array_equal(whole[name], killed[name], err_msg=name)
    logs = [(tmp_path / name / "log.csv").read_text() for name in ("whole", "killed")]
    assert logs[0] == logs[1]
