import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_video.training.records import read_log
from keras_video.training.resume import BackupState, resume_callbacks, write_state

SCRIPT = Path(__file__).with_name("resumed_run.py")


def start(folder, *arguments):
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def finish(folder):
    result = start(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    with np.load(folder / "final.npz") as arrays:
        return dict(arrays)


@pytest.mark.slow
def test_a_killed_run_ends_like_an_uninterrupted_one(tmp_path):
    """Killed in the middle of an epoch, then twice between the end of an epoch and its backup."""
    pytest.importorskip("tensorflow")
    uninterrupted, broken = tmp_path / "uninterrupted", tmp_path / "broken"
    expected = finish(uninterrupted)
    saved = []
    for place in ("batch", "log", "weights"):
        assert start(broken, place).returncode == -signal.SIGKILL, place
        saved.append(json.loads((broken / "backup" / "state.json").read_text())["epoch"])
    assert saved == [2, 3, 3]
    assert read_log(broken / "log.csv")["epoch"] == [1.0, 2.0, 3.0, 4.0]
    ours = finish(broken)
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    assert (broken / "log.csv").read_text() == (uninterrupted / "log.csv").read_text()
    best = [
        keras.saving.load_model(folder / "best.keras").get_weights()
        for folder in (uninterrupted, broken)
    ]
    for a, b in zip(*best, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(list((broken / "backup").glob("*.h5"))) == 1


def model_with_dropout(units=4, policy="float32"):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(units, dtype=policy)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(x))
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    if policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, dynamic_growth_steps=3)
    model.compile(optimizer, "mse", jit_compile=False)
    return model


def fit(model, epochs, callbacks):
    random = np.random.default_rng(0)
    data = random.normal(size=(8, 3)), random.normal(size=(8, 1))
    return model.fit(*data, 2, epochs=epochs, shuffle=False, callbacks=callbacks, verbose=0)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_optimizer_dropout_and_loss_scale_are_restored(tmp_path, policy):
    uninterrupted = model_with_dropout(policy=policy)
    fit(uninterrupted, 4, [])
    fit(model_with_dropout(policy=policy), 2, resume_callbacks(tmp_path))
    resumed = model_with_dropout(policy=policy)
    for variable in resumed.variables:
        variable.assign(keras.ops.zeros_like(variable))
    history = fit(resumed, 4, resume_callbacks(tmp_path))
    assert history.epoch == [2, 3]
    pairs = zip(
        uninterrupted.variables + uninterrupted.optimizer.variables,
        resumed.variables + resumed.optimizer.variables,
        strict=True,
    )
    for a, b in pairs:
        np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-6, err_msg=a.path)


def test_a_finished_training_is_not_run_again(tmp_path):
    fit(model_with_dropout(), 2, resume_callbacks(tmp_path))
    again = fit(model_with_dropout(), 2, resume_callbacks(tmp_path))
    assert again.epoch == []


def test_a_later_fit_without_the_backup_starts_at_the_first_epoch(tmp_path):
    model = model_with_dropout()
    fit(model, 2, resume_callbacks(tmp_path))
    fit(model, 2, resume_callbacks(tmp_path))
    assert fit(model, 1, []).epoch == [0]


def test_the_best_value_survives(tmp_path):
    best = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "best.keras"), "loss", save_best_only=True, mode="min"
    )
    restore, backup = resume_callbacks(tmp_path / "backup", best)
    fit(model_with_dropout(), 2, [restore, best, backup])
    fresh = keras.callbacks.ModelCheckpoint(
        str(tmp_path / "best.keras"), "loss", save_best_only=True, mode="min"
    )
    fit(model_with_dropout(), 2, [resume_callbacks(tmp_path / "backup", fresh)[0]])
    assert fresh.best == pytest.approx(best.best)


def test_a_diverged_epoch_is_not_backed_up(tmp_path):
    _, backup = resume_callbacks(tmp_path)
    backup.set_model(model_with_dropout())
    backup.on_epoch_end(0, {"loss": 1.0})
    backup.on_epoch_end(1, {"loss": float("nan")})
    assert json.loads((tmp_path / "state.json").read_text())["epoch"] == 1


def test_a_resumed_training_reports_the_epoch(tmp_path, capsys):
    fit(model_with_dropout(), 2, resume_callbacks(tmp_path))
    assert capsys.readouterr().out == ""
    fit(model_with_dropout(), 3, resume_callbacks(tmp_path))
    assert f"Resuming with epoch 3 of 3, from the backup in {tmp_path}" in capsys.readouterr().out
    fit(model_with_dropout(), 3, resume_callbacks(tmp_path))
    assert "Finished, 3 of 3 epochs" in capsys.readouterr().out


def test_a_first_epoch_that_was_cut_short_begins_again(tmp_path, capsys):
    write_state(tmp_path, BackupState())
    (tmp_path / "epoch_1.weights.h5").write_bytes(b"not recorded")
    assert fit(model_with_dropout(), 2, resume_callbacks(tmp_path)).epoch == [0, 1]
    assert "Starting with epoch 1 of 2" in capsys.readouterr().out


def test_a_training_shorter_than_its_backup_is_rejected(tmp_path):
    fit(model_with_dropout(), 3, resume_callbacks(tmp_path))
    with pytest.raises(ValueError, match="after epoch 3, this training ends after epoch 2"):
        fit(model_with_dropout(), 2, resume_callbacks(tmp_path))


@pytest.mark.parametrize("name", ["state.json", "epoch_2.weights.h5"])
def test_a_damaged_backup_stops_a_training(tmp_path, name):
    fit(model_with_dropout(), 2, resume_callbacks(tmp_path))
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    for place in range(0, len(content), max(1, len(content) // 20)):
        changed = content.copy()
        changed[place] ^= 4
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=re.escape(str(path))):
            fit(model_with_dropout(), 3, resume_callbacks(tmp_path))
        assert path.read_bytes() == changed
    path.write_bytes(content)
    assert fit(model_with_dropout(), 3, resume_callbacks(tmp_path)).epoch == [2]


def test_no_partial_files_stay_next_to_a_backup(tmp_path):
    (tmp_path / ".part-1-epoch_1.weights.h5").write_bytes(b"of a killed process")
    fit(model_with_dropout(), 1, resume_callbacks(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"state.json", "epoch_1.weights.h5"}


def test_a_backup_of_another_model_is_rejected(tmp_path):
    fit(model_with_dropout(units=4), 1, resume_callbacks(tmp_path))
    with pytest.raises(ValueError, match="does not match this model"):
        fit(model_with_dropout(units=5), 2, resume_callbacks(tmp_path))
