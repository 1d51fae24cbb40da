"""Malicious and damaged checkpoints never run code, hang, exhaust memory or raise other errors."""

import contextlib
import pickle
import random
import zipfile
from pathlib import Path

import pytest

from keras_video.weights.checkpoint import CheckpointError, read_checkpoint
from tests.weights import hostile_pickles as hostile
from tests.weights.guard import is_read

FIXTURES = Path(__file__).parents[1] / "fixtures" / "checkpoints"
FILES = sorted(path.name for path in FIXTURES.glob("*.pth"))


def mutated(content, draw):
    content = bytearray(content)
    kind = draw.randrange(6)
    if kind == 0:
        return content[: draw.randrange(len(content))]
    if kind == 1:
        place = draw.randrange(len(content))
        return content[:place] + draw.randbytes(draw.randint(1, 9)) + content[place:]
    if kind == 2:
        place = draw.randrange(len(content))
        return content[:place] + content[place + draw.randint(1, 9) :]
    for _ in range(draw.choice((1, 1, 2, 8))):
        place = draw.randrange(len(content))
        content[place] = draw.randrange(256) if kind == 3 else content[place] ^ 1 << kind
    return content


@pytest.mark.parametrize("name", FILES)
def test_randomly_damaged_files_are_read_or_rejected(name, tmp_path):
    draw = random.Random(name)
    content = (FIXTURES / name).read_bytes()
    path = tmp_path / "damaged.pth"
    outcomes = []
    for _ in range(100):
        path.write_bytes(mutated(content, draw))
        outcomes.append(is_read(path))
    assert False in outcomes


@pytest.mark.parametrize("name", ["checkpoint_zip.pth", "training_zip_protocol5.pth"])
def test_random_damage_with_a_valid_checksum_is_read_or_rejected(name, tmp_path):
    # The zip checksum would keep nearly all damage from reaching the pickle VM.
    draw = random.Random(name)
    with zipfile.ZipFile(FIXTURES / name) as archive:
        members = {item: archive.read(item) for item in archive.namelist()}
    pickled = next(item for item in members if item.endswith("/data.pkl"))
    path = tmp_path / "damaged.pth"
    outcomes = []
    for _ in range(300):
        changed = members | {pickled: bytes(mutated(members[pickled], draw))}
        with zipfile.ZipFile(path, "w") as archive:
            for item, content in changed.items():
                archive.writestr(item, content)
        outcomes.append(is_read(path))
    assert {True, False} == set(outcomes)


def test_every_truncation_of_a_legacy_file_is_rejected(tmp_path):
    content = (FIXTURES / "state_legacy.pth").read_bytes()
    path = tmp_path / "cut.pth"
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        assert not is_read(path)


LIVE = sorted(hostile.live_payloads("mark"))
REFUSED = sorted(hostile.refused_payloads("mark"))


@pytest.mark.parametrize("case", LIVE)
def test_live_payloads_never_run(case, tmp_path):
    mark = tmp_path / "mark"
    payload = hostile.live_payloads(mark)[case]
    assert_refused_everywhere(payload, tmp_path)
    assert not mark.exists()
    # The payload works: Python's own unpickler runs it.
    with contextlib.suppress(Exception):
        pickle.loads(b"\x80\x02" + payload + b".")
    assert mark.exists()


@pytest.mark.parametrize("case", REFUSED)
def test_other_payloads_are_rejected(case, tmp_path):
    mark = tmp_path / "mark"
    assert_refused_everywhere(hostile.refused_payloads(mark)[case], tmp_path)
    assert not mark.exists()


def assert_refused_everywhere(payload, folder):
    for place, pickled in hostile.in_places(payload).items():
        for write in (hostile.write_zip, hostile.write_legacy):
            path = write(folder / "hostile.pth", pickled)
            assert not is_read(path), (place, write.__name__)


@pytest.mark.parametrize("slot", range(5))
def test_every_pickle_of_a_legacy_file_is_guarded(slot, tmp_path):
    mark = tmp_path / "mark"
    bad = b"\x80\x02" + hostile.call("os.system", f"touch '{mark}'") + b"."
    parts = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {}, {}, [])]
    parts[slot] = bad
    path = tmp_path / "hostile.pth"
    path.write_bytes(b"".join(parts))
    with pytest.raises(CheckpointError, match="os.system"):
        read_checkpoint(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (hostile.call("posix.system", "true"), "posix.system"),
        (b"(" + hostile.text("true") + b"ios\nsystem\n", "INST, which asks for os.system"),
        (hostile.call(hostile.stack_name("pathlib", "Path.touch"), "a"), "pathlib.Path.touch"),
        (hostile.call("builtins.getattr", "text", "format"), "getattr.*'format'"),
        (hostile.name("subprocess.Popen") + b")}\x92", "subprocess.Popen"),
        (b"\x82\x01", "EXT1"),
    ],
)
def test_the_error_names_the_requested_object(payload, message, tmp_path):
    path = hostile.write_zip(tmp_path / "hostile.pth", b"\x80\x02" + payload + b".")
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)
