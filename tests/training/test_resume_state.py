import json

import pytest

from keras_video.training.resume import BackupState, checksum_of, read_state, write_state

pytestmark = pytest.mark.unit

WEIGHTS = bytes(range(256)) * 4


@pytest.fixture
def backup(tmp_path):
    """A folder with the backup of epoch 3."""
    (tmp_path / "epoch_3.weights.h5").write_bytes(WEIGHTS)
    state = BackupState(3, "epoch_3.weights.h5", checksum_of(WEIGHTS), ([1, 2], [3, 4]), 0.5)
    write_state(tmp_path, state)
    return tmp_path


def changed(folder, **values):
    path = folder / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_backup_round_trips(backup):
    state = read_state(backup)
    assert (state.epoch, state.weights, state.best) == (3, "epoch_3.weights.h5", 0.5)
    assert state.seeds == ([1, 2], [3, 4])


def test_a_folder_without_a_backup_has_none(tmp_path):
    assert read_state(tmp_path) is None
    assert read_state(tmp_path / "missing") is None


def test_a_first_epoch_that_was_cut_short_is_no_damage(tmp_path):
    write_state(tmp_path, BackupState())
    (tmp_path / "epoch_1.weights.h5").write_bytes(b"written, not yet recorded")
    assert read_state(tmp_path).epoch == 0


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", '{"epoch": 3, "wei', "null", "[]", "3", '"text"', "{}", "\0\0", "é", "NaN"],
)
def test_another_content_is_reported(backup, text):
    (backup / "state.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"state\.json .*(cannot be read|contains|has no)"):
        read_state(backup)


@pytest.mark.parametrize(
    "epoch", [None, -1, 0, 2, 4, 10**9, 10**400, 2.5, 3.0, True, "3", [3], {}, float("inf")]
)
def test_another_epoch_is_reported(backup, epoch):
    changed(backup, epoch=epoch)
    with pytest.raises(ValueError, match=r"state\.json .*--noresume"):
        read_state(backup)


@pytest.mark.parametrize(
    "values",
    [
        {"weights": None},
        {"weights": "../epoch_3.weights.h5"},
        {"weights": 3},
        {"sha256": None},
        {"sha256": "0" * 64},
        {"seeds": None},
        {"seeds": [[1, 2], [3, 5]]},
        {"best": "high"},
        {"best": float("nan")},
        {"best": 0.25},
        {"checksum": ""},
    ],
)
def test_other_values_are_reported(backup, values):
    changed(backup, **values)
    with pytest.raises(ValueError, match=r"state\.json"):
        read_state(backup)


def test_a_missing_record_is_reported(backup):
    (backup / "state.json").unlink()
    with pytest.raises(ValueError, match=r"state\.json is missing, although epoch_3\.weights\.h5"):
        read_state(backup)


def test_a_record_that_is_a_folder_is_reported(backup):
    (backup / "state.json").unlink()
    (backup / "state.json").mkdir()
    with pytest.raises(ValueError, match=r"state\.json cannot be read"):
        read_state(backup)


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "empty", "missing"])
def test_damaged_weights_are_reported(backup, damage):
    path = backup / "epoch_3.weights.h5"
    content = {
        "flipped": bytes([WEIGHTS[0] ^ 1]) + WEIGHTS[1:],
        "cut": WEIGHTS[:-1],
        "longer": WEIGHTS + b"\0",
        "empty": b"",
    }.get(damage)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"epoch_3\.weights\.h5 (is damaged|cannot be read)"):
        read_state(backup)
