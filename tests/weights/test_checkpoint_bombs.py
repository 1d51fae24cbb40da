"""Checkpoints that require far more memory or time than their size: rejected within limits."""

import pickle
import struct
import time
import zipfile
import zlib

import pytest

from keras_video.weights import unpickler
from keras_video.weights.checkpoint import CheckpointError, read_checkpoint
from tests.weights import hostile_pickles as hostile
from tests.weights.guard import is_read, within_bounds


def number(value):
    return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)


def bombs():
    """Pickles that require far more memory or time than their size."""
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
def test_bombs_are_rejected_within_limits(case, write, tmp_path):
    path = write(tmp_path / "bomb.pth", b"\x80\x02" + bombs()[case] + b".")
    assert not within_bounds(path)


def test_a_huge_memo_index_costs_nothing(tmp_path):
    # Harmless here; Python's own unpickler allocates 64 GB for it.
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
def test_tensor_sizes_are_checked_before_memory_is_allocated(length, shape, strides, tmp_path):
    pickled = b"\x80\x02}U\x01w" + tensor(length, shape, strides) + b"s."
    keys = pickle.dumps(["0"], 2) + struct.pack("<q", length if length < 1 << 62 else -1)
    assert not within_bounds(hostile.write_zip(tmp_path / "zip.pth", pickled))
    assert not within_bounds(hostile.write_legacy(tmp_path / "legacy.pth", pickled, keys))


def test_many_tensors_over_one_storage_take_no_memory(tmp_path):
    opcodes = tensor(1 << 20, (1 << 20,), (1,))
    items = b"".join(hostile.text(str(i)) + opcodes for i in range(100))
    content = bytes(4 << 20)
    path = tmp_path / "many.pth"
    hostile.write_zip(path, b"\x80\x02}(" + items + b"u.", [("archive/data/0", content)])
    assert within_bounds(path)


def test_a_compressed_bomb_is_not_decompressed(tmp_path):
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "archive/data.pkl", b"\x80\x02}U\x01w" + tensor(1 << 24, (1,), (1,)) + b"s."
        )
        archive.writestr("archive/data/0", bytes(1 << 26))
    assert not within_bounds(path)


def test_sizes_in_the_zip_directory_are_not_trusted(tmp_path):
    pickled = b"\x80\x02}U\x01w" + tensor(1 << 29, (1,), (1,)) + b"s."
    path = hostile.write_zip(tmp_path / "bomb.pth", pickled)
    content = path.read_bytes()
    claimed = struct.pack("<II", 1 << 31, 1 << 31)
    path.write_bytes(content.replace(struct.pack("<II", 24, 24), claimed))
    with pytest.raises(CheckpointError, match="claims 2147483648 bytes"):
        read_checkpoint(path)
    assert not within_bounds(path)


def test_overlapping_entries_are_read_up_to_the_file_size(tmp_path):
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
def test_keys_with_slow_or_custom_hashes_are_rejected(case, tmp_path):
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


def test_text_as_the_state_of_many_arrays_counts_toward_the_limit(tmp_path):
    # Thousands of arrays share one text of a megabyte as their content.
    count = 1 << 20
    text = hostile.text("a" * count) + b"q\x01"
    shell = hostile.call(
        "numpy.core.multiarray._reconstruct", hostile.name("numpy.ndarray"), b"K\x00\x85C\x01b"
    )
    kind = hostile.call("numpy.dtype", "u1", b"\x89\x88") + b"q\x02"
    array = shell + b"(K\x01" + number(count) + b"\x85h\x02\x89h\x01tb"
    pickled = b"\x80\x02](" + text + kind + array * 5_000 + b"e."
    assert len(pickled) < 1_800_000
    path = hostile.write_zip(tmp_path / "bomb.pth", pickled)
    assert not within_bounds(path)
    with pytest.raises(CheckpointError, match="the pickle copies more than"):
        read_checkpoint(path)


def test_text_larger_than_its_array_is_not_encoded(tmp_path):
    text = hostile.text("a" * (1 << 20)) + b"q\x01"
    shell = hostile.call(
        "numpy.core.multiarray._reconstruct", hostile.name("numpy.ndarray"), b"K\x00\x85C\x01b"
    )
    kind = hostile.call("numpy.dtype", "u1", b"\x89\x88")
    array = shell + b"(K\x01K\x01\x85" + kind + b"\x89h\x01tb"
    path = hostile.write_zip(tmp_path / "bomb.pth", b"\x80\x02](" + text + array + b"e.")
    with pytest.raises(CheckpointError, match="has 1048576 characters"):
        read_checkpoint(path)


def zip_of_empty_entries(path, count, names):
    """A zip whose directory lists `count` entries; all begin at the same position."""
    local = b"PK\x03\x04" + struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, 0, 0, 0, 1, 0) + b"a"
    with path.open("wb") as file:
        file.write(local)
        for number_ in range(count):
            name = names(number_)
            file.write(
                b"PK\x01\x02"
                + struct.pack(
                    "<HHHHHHIIIHHHHHII", 20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), *[0] * 6
                )
                + name
            )
        size = file.tell() - len(local)
        shown = min(count, 0xFFFF)
        file.write(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, shown, shown, size, len(local), 0))
    return path


@pytest.mark.parametrize("suffix", ["pth", "npz"])
def test_a_directory_of_a_million_entries_is_not_read(tmp_path, suffix):
    name = lambda number_: b"%06x" % number_  # noqa: E731
    path = zip_of_empty_entries(tmp_path / f"bomb.{suffix}", 300_000, name)
    assert not within_bounds(path)
    with pytest.raises(CheckpointError, match="the directory of the zip archive has 15600000"):
        read_checkpoint(path)


def test_a_directory_of_thousands_of_entries_is_read(tmp_path):
    items = b"".join(hostile.text(str(i)) + tensor(1, (1,), (1,), str(i)) for i in range(5_000))
    members = [(f"archive/data/{i}", b"\0" * 4) for i in range(5_000)]
    path = hostile.write_zip(tmp_path / "a.pth", b"\x80\x02}(" + items + b"u.", members)
    assert len(read_checkpoint(path)) == 5_000


@pytest.mark.parametrize("suffix", ["pth", "npz"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_entries_with_the_same_name_are_rejected(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    members = [("archive/data/0", b"\0" * 24), ("archive/data/0", b"\1" * 24)]
    hostile.write_zip(path, b"\x80\x02}U\x01w" + tensor(6, (6,), (1,)) + b"s.", members)
    with pytest.raises(CheckpointError, match="the same name"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "payload",
    [
        hostile.call("a.b") + b"q\x01" + b"h\x01}U\x01xh\x01sb" * 50_000,
        b"](" + hostile.call("a.b") * 100_000 + b"e",
        hostile.call("a.b") + b"(" + b"N" * 100_000 + b"e",
        b"}(" + b"".join(hostile.call("a.b") + b"N" for _ in range(50_000)) + b"u",
    ],
)
def test_placeholders_use_bounded_memory(tmp_path, payload):
    assert not within_bounds(hostile.write_zip(tmp_path / "a.pth", b"\x80\x02" + payload + b"."))
