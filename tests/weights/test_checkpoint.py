"""`read_checkpoint` on files written by PyTorch and on handcrafted ones."""

import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_video.weights.checkpoint import CheckpointError, read_checkpoint

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[1] / "fixtures" / "checkpoints"
PLAIN = ["state_zip", "state_legacy", "checkpoint_zip", "checkpoint_legacy"]
TRAINING = ["training_zip", "training_zip_protocol5", "training_legacy"]


def assert_equal(state, expected):
    assert sorted(state) == sorted(expected)
    for name, array in state.items():
        assert array.dtype == expected[name].dtype, name
        assert array.shape == expected[name].shape, name
        assert array.tobytes() == expected[name].tobytes(), name


@pytest.mark.parametrize("name", PLAIN)
def test_pytorch_files_are_read_exactly(name):
    expected = dict(np.load(FIXTURES / "expected.npz"))
    assert_equal(read_checkpoint(FIXTURES / f"{name}.pth"), expected)


@pytest.mark.parametrize("name", TRAINING)
def test_optimizer_scheduler_and_meta_are_tolerated(name):
    expected = dict(np.load(FIXTURES / "expected_training.npz"))
    state = read_checkpoint(FIXTURES / f"{name}.pth")
    assert_equal(state, expected)
    assert list(state) == list(expected)


def test_names_are_unchanged():
    expected = dict(np.load(FIXTURES / "expected.npz"))
    state = read_checkpoint(FIXTURES / "dataparallel_zip.pth")
    assert_equal(state, {f"module.{name}": array for name, array in expected.items()})


def test_arrays_share_memory_and_are_read_only():
    state = read_checkpoint(str(FIXTURES / "state_zip.pth"))
    assert np.shares_memory(state["view.transposed"], state["backbone.conv1.conv.weight"])
    for array in state.values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_a_missing_file_raises_the_systems_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "none.pth")


MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)
SMALL = np.arange(6, dtype=np.float32)


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    return b"J" + struct.pack("<i", value)


def storage(kind=b"torch\nFloatStorage\n", key="0", length=6, view=b""):
    return b"(" + text("storage") + b"c" + kind + text(key) + text("cpu") + number(length) + view


def tensor(stored=None, offset=0, shape=(2, 3), strides=(3, 1)):
    sizes = b"(" + b"".join(number(size) for size in shape) + b"t"
    steps = b"(" + b"".join(number(step) for step in strides) + b"t"
    identifier = (stored or storage()) + b"tQ"
    return (
        b"ctorch._utils\n_rebuild_tensor\n(" + (identifier + number(offset) + sizes + steps) + b"tR"
    )


def state(**values):
    items = b"".join(text(name) + value for name, value in values.items())
    return b"\x80\x02}(" + items + b"u."


def write_zip(path, pickled, contents=None, order=None, folder="archive"):
    contents = {"0": SMALL.tobytes()} if contents is None else contents
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{folder}/data.pkl", pickled)
        for key, content in contents.items():
            archive.writestr(f"{folder}/data/{key}", content)
        if order:
            archive.writestr(f"{folder}/byteorder", order)
    return path


def write_legacy(path, pickled, content=SMALL, keys=("0",), little=True):
    order = "<" if little else ">"
    raw = content.astype(content.dtype.newbyteorder(order)).tobytes()
    head = MAGIC + pickle.dumps({"little_endian": little}, 2)
    body = pickled + pickle.dumps(list(keys), 2) + struct.pack(f"{order}q", content.size) + raw
    path.write_bytes(head + body)
    return path


def test_the_oldest_tensors_and_views_of_storages_are_read(tmp_path):
    view = b"(" + text("1") + number(2) + number(4) + b"t"
    tensors = state(
        whole=tensor(),
        part=tensor(storage(view=view), shape=(2, 2), strides=(2, 1)),
    )
    read = read_checkpoint(write_legacy(tmp_path / "old.pth", tensors))
    np.testing.assert_array_equal(read["whole"], SMALL.reshape(2, 3))
    np.testing.assert_array_equal(read["part"], SMALL[2:].reshape(2, 2))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_legacy_files_of_every_protocol_are_read(tmp_path, protocol):
    head = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    parts = [pickle.dumps(part, protocol) for part in head]
    keys = pickle.dumps(["0"], protocol) + struct.pack("<q", SMALL.size) + SMALL.tobytes()
    (tmp_path / "a.pth").write_bytes(b"".join(parts) + state(w=tensor()) + keys)
    np.testing.assert_array_equal(read_checkpoint(tmp_path / "a.pth")["w"], SMALL.reshape(2, 3))


def test_python_2_dictionaries_and_parameters_are_read(tmp_path):
    parameter = b"ctorch.nn.parameter\nParameter\n" + tensor() + b"\x85R(\x88\x89Ntb"
    pairs = b"](](U\x01w" + parameter + b"ee"
    pickled = b"\x80\x02ccollections\nOrderedDict\n" + pairs + b"\x85R."
    read = read_checkpoint(write_legacy(tmp_path / "python2.pth", pickled))
    np.testing.assert_array_equal(read["w"], SMALL.reshape(2, 3))


def test_files_of_big_endian_machines_are_read(tmp_path):
    swapped = {"0": SMALL.astype(">f4").tobytes()}
    zipped = write_zip(tmp_path / "zip.pth", state(w=tensor()), swapped, order="big")
    legacy = write_legacy(tmp_path / "legacy.pth", state(w=tensor()), little=False)
    for path in (zipped, legacy):
        array = read_checkpoint(path)["w"]
        np.testing.assert_array_equal(array, SMALL.reshape(2, 3))
        assert array.dtype.isnative


def test_running_averages_of_mmengine_are_ignored(tmp_path):
    buffer = b"cmmengine.logging.history_buffer\nHistoryBuffer\n"
    method = b"c__builtin__\ngetattr\n" + buffer + text("mean") + b"\x86R"
    history = buffer + b")\x81}" + text("methods") + b"}" + text("mean") + method + b"ssb"
    path = write_zip(tmp_path / "a.pth", state(message_hub=history, state_dict=state_inner()))
    assert list(read_checkpoint(path)) == ["w"]


def state_inner():
    return state(w=tensor())[2:-1]


@pytest.mark.parametrize("name", ["state_dict", "model_state", "model_state_dict", "model"])
def test_nested_states_are_found(tmp_path, name):
    path = write_zip(tmp_path / "a.pth", state(epoch=number(3), **{name: state_inner()}))
    assert list(read_checkpoint(path)) == ["w"]


def test_the_folder_in_the_zip_may_have_any_name(tmp_path):
    path = write_zip(tmp_path / "a.pth", state(w=tensor()), folder="tsn_r50 (1)")
    assert list(read_checkpoint(path)) == ["w"]


def test_unused_storages_are_not_read(tmp_path):
    # The optimizer's storage is missing, which would only be noticed if it were read.
    momentum = state(m=tensor(storage(key="gone")))[2:-1]
    path = write_zip(tmp_path / "a.pth", state(optimizer=momentum, state_dict=state_inner()))
    assert list(read_checkpoint(path)) == ["w"]


def test_a_pickled_network_is_rejected_by_name(tmp_path):
    path = write_zip(tmp_path / "a.pth", state(net=b"ctorchvision.models.resnet\nResNet\n)\x81"))
    with pytest.raises(CheckpointError, match=r"a\.pth: refused torchvision.models.resnet.ResNet"):
        read_checkpoint(path)


FAULTS = {
    "outside": (tensor(offset=1), "reaches outside its storage"),
    "stride outside": (tensor(strides=(4, 1)), "reaches outside its storage"),
    "negative stride": (tensor(strides=(-3, 1)), "shape or strides"),
    "negative offset": (tensor(offset=-1), "offset -1"),
    "rank": (tensor(strides=(1,)), "has strides"),
    "many axes": (tensor(shape=(1,) * 33, strides=(1,) * 33), "shape or strides"),
    "expanded": (tensor(shape=(1 << 30, 1), strides=(0, 1)), "refused the shape"),
    "empty": (tensor(shape=(0, 1 << 30, 1 << 30), strides=(1, 1, 1)), "refused the shape"),
    "claimed length": (tensor(storage(length=7)), "has 24 bytes, expected 7 elements"),
    "huge length": (tensor(storage(length=1 << 30)), "expected 1073741824 elements"),
    "missing": (tensor(storage(key="1")), "no entry 'data/1'"),
    "two types": (
        tensor() + b"0" + tensor(storage(kind=b"torch\nIntStorage\n")),
        "declared in two ways",
    ),
    "quantized": (tensor(storage(kind=b"torch\nQInt8Storage\n")), "torch.QInt8Storage"),
    "objects": (b"cnumpy\ndtype\n" + text("O8") + b"\x89\x88\x87R", r"refused numpy.dtype\('O8'\)"),
    "identifier": (text("0") + b"Q", "not a storage: the string '0'"),
    "module": (b"(" + text("module") + b"NtQ", "not a storage"),
    "called type": (b"ctorch\nFloatStorage\n)R", "refused to call torch.FloatStorage"),
    "not a name": (text("os") + b")R", "refused to call the string 'os'"),
    "state": (b"]Nb", "refused to set the state"),
    "only numbers": (number(1), "found no tensors"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_the_error_names_the_fault(tmp_path, case):
    value, message = FAULTS[case]
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(write_zip(tmp_path / "a.pth", state(w=value)))


def test_a_compressed_archive_is_rejected(tmp_path):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", state(w=tensor()))
    with pytest.raises(CheckpointError, match="is compressed"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "received the first bytes b''"),
        (b"<html>not found</html>", "received the first bytes b'<htm'"),
        (b"PK\x03\x04 and no more", "damaged zip archive"),
        (pickle.dumps({"a": 1}, 2), "found no tensors, only these keys: the string 'a'"),
        (MAGIC[:-4] + b"M\xea\x03.", "expected format 1001, received the integer 1002"),
    ],
)
def test_other_files_are_distinguished_from_checkpoints(tmp_path, content, message):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)


def test_a_legacy_file_truncated_within_a_storage_is_reported(tmp_path):
    path = write_legacy(tmp_path / "a.pth", state(w=tensor()))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="the file ends within storage '0'"):
        read_checkpoint(path)


def test_a_damaged_storage_is_detected_by_its_checksum(tmp_path):
    path = write_zip(tmp_path / "a.pth", state(w=tensor()))
    content = path.read_bytes()
    path.write_bytes(content.replace(SMALL.tobytes(), SMALL[::-1].tobytes()))
    with pytest.raises(CheckpointError, match="damaged entry 'data/0'"):
        read_checkpoint(path)
