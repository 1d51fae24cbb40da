"""Hostile and damaged checkpoints: none runs code, hangs, takes memory or escapes its error."""

import codecs
import contextlib
import pickle
import pickletools
import random
import signal
import struct
import sys
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from keras_video.weights import unpickler
from keras_video.weights.checkpoint import CheckpointError, read_checkpoint
from tests.weights import hostile_pickles as hostile

FIXTURES = Path(__file__).parents[1] / "fixtures" / "checkpoints"
FILES = sorted(path.name for path in FIXTURES.glob("*.pth"))
SECONDS_PER_CASE = 20
MEMORY_PER_CASE = 64 << 20

# What Python reports before it runs a program, compiles, imports, or lets a pickle find a name.
ALARMS = {
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "compile",
    "exec",
    "import",
    "pickle.find_class",
    "marshal.loads",
    "ctypes.dlopen",
    "socket.connect",
    "os.mkdir",
    "os.remove",
}
# What the reader itself loads late: names of opcodes for its errors, and the zip's old alphabet.
assert pickletools.code2op
codecs.lookup("cp437")


class Watch:
    """Records the events above while it is switched on; an audit hook cannot be taken away."""

    def __init__(self):
        self.on = False
        self.seen = []
        sys.addaudithook(self.hear)

    def hear(self, event, arguments):
        if self.on and event in ALARMS:
            self.seen.append((event, arguments))


WATCH = Watch()


@contextlib.contextmanager
def guarded():
    """Fails when the body takes too long or does what reading a file never needs."""

    def too_long(*_):
        raise AssertionError(f"took more than {SECONDS_PER_CASE} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_PER_CASE)
    WATCH.seen, WATCH.on = [], True
    try:
        yield
    finally:
        WATCH.on = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert WATCH.seen == []


def is_read(path):
    """Reads a file that may be damaged: True, or False when it is refused as it should be."""
    with guarded():
        try:
            state = read_checkpoint(path)
        except CheckpointError:
            return False
    assert all(type(name) is str and type(a) is np.ndarray for name, a in state.items())
    return True


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
def test_random_damage_is_read_or_refused(name, tmp_path):
    draw = random.Random(name)
    content = (FIXTURES / name).read_bytes()
    path = tmp_path / "damaged.pth"
    outcomes = []
    for _ in range(100):
        path.write_bytes(mutated(content, draw))
        outcomes.append(is_read(path))
    assert False in outcomes


@pytest.mark.parametrize("name", ["checkpoint_zip.pth", "training_zip_protocol5.pth"])
def test_random_damage_behind_the_checksum_is_read_or_refused(name, tmp_path):
    # The zip checksum would hide the pickle machine from nearly all damage.
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


def test_every_truncation_of_a_legacy_file_is_refused(tmp_path):
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
    # The payload has teeth: Python's own unpickler runs it.
    with contextlib.suppress(Exception):
        pickle.loads(b"\x80\x02" + payload + b".")
    assert mark.exists()


@pytest.mark.parametrize("case", REFUSED)
def test_other_payloads_are_refused(case, tmp_path):
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
    with pytest.raises(CheckpointError, match="refused os.system"):
        read_checkpoint(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("payload", "asked"),
    [
        (hostile.call("posix.system", "true"), "posix.system"),
        (b"(" + hostile.text("true") + b"ios\nsystem\n", "INST, which asks for os.system"),
        (hostile.call(hostile.stack_name("pathlib", "Path.touch"), "a"), "pathlib.Path.touch"),
        (hostile.call("builtins.getattr", "text", "format"), "getattr.*'format'"),
        (hostile.name("subprocess.Popen") + b")}\x92", "subprocess.Popen"),
        (b"\x82\x01", "EXT1"),
    ],
)
def test_the_error_names_what_was_asked_for(payload, asked, tmp_path):
    path = hostile.write_zip(tmp_path / "hostile.pth", b"\x80\x02" + payload + b".")
    with pytest.raises(CheckpointError, match=asked):
        read_checkpoint(path)


def number(value):
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def bombs():
    """Pickles that ask for far more memory or time than their size."""
    big = hostile.text("x" * 1_000_000) + b"q\x01"
    encode = hostile.name("_codecs.encode") + b"q\x02h\x01" + hostile.text("latin1") + b"q\x03\x86R"
    pairs = b"".join(b"M" + struct.pack("<H", k) + b"N\x86" for k in range(5_000))
    pairs = hostile.sequence(pairs) + b"q\x01"
    ordered = hostile.name("collections.OrderedDict") + b"q\x02h\x01\x85R"
    doubled = b")" + b"q\x01h\x01\x86" * 60
    colliding = b"".join(number(k * ((1 << 61) - 1)) + b"N" for k in range(-300, 300))
    shell = hostile.call(
        "numpy.core.multiarray._reconstruct",
        hostile.name("numpy.ndarray"),
        b"K\x00\x85C\x01b",
    )
    kind = hostile.call("numpy.dtype", "f8", b"\x89\x88")
    claimed = shell + b"(K\x01" + number(1 << 50) + b"\x85" + kind + b"\x89C\x00tb"
    return {
        "copied text": b"](" + big + encode + b"h\x02h\x01h\x03\x86R" * 3_000 + b"e",
        "copied pairs": b"](" + pairs + ordered + b"h\x02h\x01\x85R" * 2_000 + b"e",
        "key of doubled tuples": b"}" + doubled + b"Ns",
        "set of doubled tuples": b"\x8f(" + doubled + b"\x90",
        "colliding keys": b"}(" + colliding + b"u",
        "long integer": b"\x8b\xff\xff\xff\x7f",
        "long negative length": b"\x8b\xff\xff\xff\xff",
        "million byte integer": b"\x8b" + struct.pack("<I", 1 << 20) + b"\x7f" * (1 << 20),
        "text beyond the end": b"X\xff\xff\xff\xff",
        "long text beyond the end": b"\x8d" + b"\xff" * 8,
        "bytes beyond the end": b"\x8e" + b"\xff" * 7 + b"\x7f",
        "byte array beyond the end": b"\x96" + b"\x00" * 5 + b"\x01\x00\x00",
        "nested lists": b"]" * 50_000 + b"a" * 49_999,
        "nested tuples": b")" + b"\x85" * 50_000,
        "list within itself": b"]q\x01h\x01a",
        "marks": b"(" * 50_000,
        "unending name": b"c" + b"x" * 500_000,
        "array larger than its bytes": claimed,
    }


@pytest.mark.parametrize("case", sorted(bombs()))
@pytest.mark.parametrize("write", [hostile.write_zip, hostile.write_legacy])
def test_bombs_are_refused_within_bounds(case, write, tmp_path):
    path = write(tmp_path / "bomb.pth", b"\x80\x02" + bombs()[case] + b".")
    assert not within_bounds(path)


def within_bounds(path):
    tracemalloc.start()
    try:
        outcome = is_read(path)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_PER_CASE
    finally:
        tracemalloc.stop()
    return outcome


def test_a_huge_memo_index_costs_nothing(tmp_path):
    # It is harmless here; Python's own unpickler takes 64 GB for it.
    state = b"}U\x01wN" + b"r\xff\xff\xff\xff" + b"s"
    path = hostile.write_zip(tmp_path / "bomb.pth", b"\x80\x02" + state + b".")
    assert not within_bounds(path)


def tensor(length, shape, strides, key="0"):
    stored = b"(" + hostile.text("storage") + hostile.name("torch.FloatStorage") + hostile.text(key)
    identifier = stored + hostile.text("cpu") + number(length) + b"tQ"
    sizes = b"(" + b"".join(map(number, shape)) + b"t"
    steps = b"(" + b"".join(map(number, strides)) + b"t"
    return hostile.call("torch._utils._rebuild_tensor_v2", identifier, b"K\x00", sizes, steps)


@pytest.mark.parametrize(
    ("length", "shape", "strides"),
    [
        (1 << 44, (1 << 44,), (1,)),
        (1 << 62, (1,), (1,)),
        (-1, (1,), (1,)),
        (6, (1 << 40,), (0,)),
        (6, (1 << 62, 1 << 62), (0, 0)),
        (6, (2,), (1 << 62,)),
        (6, (0, 1 << 62), (1, 1)),
        (6, (-1,), (1,)),
        (6, (1,) * 4000, (1,) * 4000),
    ],
)
def test_claims_about_tensors_are_checked_before_memory_is_taken(length, shape, strides, tmp_path):
    pickled = b"\x80\x02}U\x01w" + tensor(length, shape, strides) + b"s."
    keys = pickle.dumps(["0"], 2) + struct.pack("<q", length if length < 1 << 62 else -1)
    assert not within_bounds(hostile.write_zip(tmp_path / "zip.pth", pickled))
    assert not within_bounds(hostile.write_legacy(tmp_path / "legacy.pth", pickled, keys))


def test_many_tensors_over_one_storage_take_no_memory(tmp_path):
    one = tensor(1 << 20, (1 << 20,), (1,))
    items = b"".join(hostile.text(str(i)) + one for i in range(100))
    content = bytes(4 << 20)
    path = tmp_path / "many.pth"
    hostile.write_zip(path, b"\x80\x02}(" + items + b"u.", [("archive/data/0", content)])
    assert within_bounds(path)


def test_a_compressed_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "archive/data.pkl", b"\x80\x02}U\x01w" + tensor(1 << 24, (1,), (1,)) + b"s."
        )
        archive.writestr("archive/data/0", bytes(1 << 26))
    assert not within_bounds(path)


def test_sizes_in_the_zip_directory_are_not_believed(tmp_path):
    pickled = b"\x80\x02}U\x01w" + tensor(1 << 29, (1,), (1,)) + b"s."
    path = hostile.write_zip(tmp_path / "bomb.pth", pickled)
    content = path.read_bytes()
    claimed = struct.pack("<II", 1 << 31, 1 << 31)
    path.write_bytes(content.replace(struct.pack("<II", 24, 24), claimed))
    with pytest.raises(CheckpointError, match="claims 2147483648 bytes"):
        read_checkpoint(path)
    assert not within_bounds(path)


def test_entries_that_overlap_are_read_up_to_the_files_size(tmp_path):
    # Each entry's content holds all the entries after it, headers included.
    count, content, entries = 40, bytes(1 << 20), []
    for index in reversed(range(count)):
        member = f"archive/data/{index}".encode()
        crc, size = zlib.crc32(content), len(content)
        entries.append((index, crc, size))
        sizes = struct.pack("<IIIHH", crc, size, size, len(member), 0)
        content = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 0, 0, 33) + sizes + member + content
    items = b"".join(
        hostile.text(str(i)) + tensor(size // 4, (1,), (1,), key=str(i)) for i, _, size in entries
    )
    path = tmp_path / "bomb.pth"
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}(" + items + b"u.")
        for index, crc, size in entries:
            info = zipfile.ZipInfo(f"archive/data/{index}")
            info.CRC, info.file_size, info.compress_size = crc, size, size
            info.header_offset = sum(30 + len(f"archive/data/{i}") for i in range(index))
            archive.filelist.append(info)
    with pytest.raises(CheckpointError, match="claims|[Oo]verlap"):
        read_checkpoint(path)


@pytest.mark.parametrize("case", ["key of doubled tuples", "colliding keys"])
def test_keys_whose_hash_is_slow_or_made_up_are_refused(case, tmp_path):
    path = hostile.write_zip(tmp_path / "bomb.pth", b"\x80\x02" + bombs()[case] + b".")
    with pytest.raises(CheckpointError, match="expected a string or a number as a key"):
        read_checkpoint(path)


def test_the_number_of_operations_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(unpickler, "MAX_OPERATIONS", 1000)
    path = hostile.write_zip(tmp_path / "bomb.pth", b"\x80\x02" + b"N0" * 600 + b"N.")
    with pytest.raises(CheckpointError, match="more than 1000 operations"):
        read_checkpoint(path)


def test_the_largest_pickle_takes_seconds_and_bounded_memory(tmp_path):
    path = hostile.write_zip(tmp_path / "bomb.pth", b"\x80\x02" + b"}" * ((1 << 24) - 3) + b".")
    start = time.process_time()
    assert not is_read(path)
    assert time.process_time() - start < 5
    too_large = hostile.write_zip(tmp_path / "bomb.pth", b"N" * ((1 << 24) + 1))
    assert not within_bounds(too_large)
