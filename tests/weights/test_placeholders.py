"""Other objects in a checkpoint do not prevent its tensors from being read."""

import collections
import contextlib
import datetime
import enum
import pathlib
import pickle
import sys
import types

import numpy as np
import pytest

from keras_video.weights import CheckpointError, read_checkpoint
from tests import torch_files
from tests.weights import hostile_pickles as hostile

pytestmark = pytest.mark.unit

STATE = {"conv.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}


@contextlib.contextmanager
def foreign(module, **bases):
    """Classes of a module that exists only while a file is written."""
    parts = module.split(".")
    names = [".".join(parts[: n + 1]) for n in range(len(parts))]
    added = [name for name in names if name not in sys.modules]
    for name in added:
        sys.modules[name] = types.ModuleType(name)
    classes = {
        name: type(name, base if isinstance(base, tuple) else (base,), {"__module__": module})
        for name, base in bases.items()
    }
    for name, kind in classes.items():
        setattr(sys.modules[module], name, kind)
    try:
        yield types.SimpleNamespace(**classes)
    finally:
        for name in added:
            del sys.modules[name]


def assert_read(path, expected=STATE):
    state = read_checkpoint(path)
    assert list(state) == list(expected)
    for name, array in state.items():
        np.testing.assert_array_equal(array, expected[name])


class Phase(enum.Enum):
    TRAIN = 1


class Flag(enum.IntFlag):
    LEFT = 1


class Stage(enum.StrEnum):
    FIT = "fit"


def known_values():
    """Values that the standard library and NumPy pickle in special ways."""
    zone = datetime.timezone(datetime.timedelta(hours=2))
    return {
        "path": pathlib.PurePosixPath("/data/checkpoints"),
        "enum": Phase.TRAIN,
        "flag": Flag.LEFT,
        "text enum": Stage.FIT,
        "date": datetime.datetime(2024, 2, 29, 12, tzinfo=zone),
        "duration": datetime.timedelta(days=1),
        "keys": {Phase.TRAIN: 1, Stage.FIT: 2},
        "pair keys": {("split", 0): 1.0},
        "set": {Phase.TRAIN, "a"},
        "namespace": types.SimpleNamespace(a=[1, {"b": Phase.TRAIN}]),
        "queue": collections.deque([1, 2], maxlen=5),
        "chain": collections.ChainMap({"a": 1}),
        "objects": np.array([{"a": 1}, None], object),
        "words": np.array(["a", "bc"]),
        "times": np.array(["2024-01-01"], "datetime64[D]"),
        "records": np.zeros(2, [("a", "i4"), ("b", "f8")]),
        "random": np.random.default_rng(0),
        "state": np.random.RandomState(0),
        "type": dict,
        "function": len,
        "slice": slice(1, 2),
        "range": range(3),
        "complex": 1j,
        "exception": ValueError("text"),
    }


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("case", known_values())
def test_unusual_values_next_to_the_state(tmp_path, case, protocol):
    # Arrays become tensors in such files, so unusual ones are pickled separately.
    odd = pickle.dumps(known_values()[case], protocol)[2:-1]
    state = torch_files.pickled(STATE, arrays := [])
    both = b"\x80\x02}(" + hostile.text("meta") + b"]" + odd + b"a"
    both += hostile.text("state_dict") + state[2:-1] + b"u."
    path = tmp_path / "a.pth"
    content = [(f"archive/data/{key}", array.tobytes()) for key, array in enumerate(arrays)]
    hostile.write_zip(path, both, content)
    assert_read(path)


def test_configurations_of_mmcv(tmp_path):
    with foreign("mmcv.utils.config", ConfigDict=dict, Config=object) as classes:
        config = classes.ConfigDict(model=classes.ConfigDict(type="TSN"), lr=0.1)
        whole = classes.Config()
        whole.__dict__.update(_cfg_dict=config, _filename=pathlib.PurePosixPath("a.py"))
        tree = {"meta": {"config": whole, "hooks": [config]}, "state_dict": STATE}
        torch_files.save_tree(tmp_path / "a.pth", tree)
    assert_read(tmp_path / "a.pth")


def test_checkpoints_of_lightning(tmp_path):
    module = "pytorch_lightning.callbacks.model_checkpoint"
    bases = {"ModelCheckpoint": object, "AttributeDict": dict, "Names": list, "Kinds": set}
    with foreign(module, **bases) as classes:
        callback = classes.ModelCheckpoint()
        callback.best, callback.scores = pathlib.PurePosixPath("best.ckpt"), classes.Names("abc")
        tree = {
            "epoch": 3,
            "callbacks": {
                classes.ModelCheckpoint: {"best": callback},
                "kinds": classes.Kinds("ab"),
            },
            "hyper_parameters": classes.AttributeDict(lr=0.1, when=datetime.datetime(2024, 1, 1)),
            "state_dict": collections.OrderedDict(STATE),
        }
        torch_files.save_tree(tmp_path / "a.ckpt", tree)
    assert_read(tmp_path / "a.ckpt")


def module_of(classes, *, parameters=(), buffers=(), children=(), temporary=()):
    """An `nn.Module` as PyTorch pickles it."""
    module = classes.Module()
    module.__dict__.update(
        training=True,
        _parameters=collections.OrderedDict(parameters),
        _buffers=collections.OrderedDict(buffers),
        _non_persistent_buffers_set=set(temporary),
        _modules=collections.OrderedDict(children),
        _forward_hooks=collections.OrderedDict(),
    )
    return module


@pytest.mark.parametrize("nest", [None, "model", "net"])
def test_pickled_networks(tmp_path, nest):
    weight, mean = STATE["conv.weight"], np.ones(2, np.float32)
    with foreign("networks.resnet", Module=object) as classes:
        conv = module_of(classes, parameters={"weight": weight, "bias": None})
        norm = module_of(classes, buffers={"mean": mean, "scratch": mean}, temporary=["scratch"])
        body = module_of(classes, children={"conv": conv, "norm": norm, "empty": None})
        root = module_of(classes, parameters={"scale": mean}, children={"body": body})
        tree = root if nest is None else {nest: root, "epoch": 1}
        torch_files.save_tree(tmp_path / "a.pt", tree)
    expected = {"scale": mean, "body.conv.weight": weight, "body.norm.mean": mean}
    assert_read(tmp_path / "a.pt", expected)


def test_a_module_that_contains_itself_is_rejected(tmp_path):
    with foreign("networks.resnet", Module=object) as classes:
        root = module_of(classes, parameters={"w": STATE["conv.weight"]})
        root._modules["again"] = root
        torch_files.save_tree(tmp_path / "a.pt", root)
    with pytest.raises(CheckpointError, match="networks.resnet.Module are nested without end"):
        read_checkpoint(tmp_path / "a.pt")


def test_a_placeholder_in_the_state_is_an_error(tmp_path):
    with foreign("networks.resnet", Table=object) as classes:
        torch_files.save_tree(
            tmp_path / "a.pth", {"state_dict": {**STATE, "table": classes.Table()}}
        )
    with pytest.raises(CheckpointError, match="networks.resnet.Table at the string 'table'"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_tensor_that_needs_an_unknown_call_is_rejected_by_name(tmp_path):
    tensor = hostile.call("torch._utils._rebuild_qtensor", "scale")
    pickled = b"\x80\x02}" + hostile.text("w") + tensor + b"s."
    hostile.write_zip(tmp_path / "a.pth", pickled)
    with pytest.raises(CheckpointError, match="refused torch._utils._rebuild_qtensor"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_module_with_an_unknown_parameter_is_rejected(tmp_path):
    with foreign("networks.resnet", Module=object, Packed=object) as classes:
        root = module_of(classes, parameters={"w": classes.Packed()})
        torch_files.save_tree(tmp_path / "a.pt", root)
    with pytest.raises(CheckpointError, match="networks.resnet.Packed at the string 'w'"):
        read_checkpoint(tmp_path / "a.pt")


def test_control_characters_in_a_name_are_not_printed(tmp_path):
    payload = hostile.call(hostile.stack_name("os\x1b[2J", "system\r\u202e"))
    hostile.write_zip(tmp_path / "a.pth", b"\x80\x02" + payload + b".")
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(tmp_path / "a.pth")
    assert str(error.value).isprintable()
    assert r"os\x1b[2J.system\r\u202e" in str(error.value)


class TestWrittenByTorch:
    """Files written by PyTorch."""

    @pytest.fixture(autouse=True)
    def torch(self):
        self.torch = pytest.importorskip("torch")

    def network(self):
        nn = self.torch.nn
        return nn.Sequential(
            nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.MultiheadAttention(4, 2), nn.Linear(4, 2)
        )

    @pytest.mark.parametrize("protocol", [2, 4, 5])
    @pytest.mark.parametrize("zipped", [True, False])
    @pytest.mark.parametrize("wrap", ["module", "state", "parallel", "training"])
    def test_equals_the_state(self, tmp_path, zipped, wrap, protocol):
        network = self.network()
        optimizer = self.torch.optim.AdamW(network.parameters())
        network[0](self.torch.zeros(1, 3, 4, 4, 4)).sum().backward()
        optimizer.step()
        expected = network.state_dict()
        trees = {
            "module": network,
            "state": expected,
            "parallel": self.torch.nn.DataParallel(network),
            "training": {
                "model": network,
                "optimizer": optimizer.state_dict(),
                "scheduler": self.torch.optim.lr_scheduler.StepLR(optimizer, 3).state_dict(),
                "generator": self.torch.get_rng_state(),
                "kind": self.torch.bfloat16,
                "shape": self.torch.Size((1, 2)),
                "device": self.torch.device("cpu"),
                "path": tmp_path,
            },
        }
        path = tmp_path / "a.pt"
        self.torch.save(
            trees[wrap], path, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol
        )
        prefix = "module." if wrap == "parallel" else ""
        state = read_checkpoint(path)
        assert list(state) == [prefix + name for name in expected]
        for name, tensor in expected.items():
            np.testing.assert_array_equal(state[prefix + name], tensor.numpy())

    def test_a_sparse_tensor_is_rejected_by_name(self, tmp_path):
        path = tmp_path / "a.pt"
        self.torch.save({"w": self.torch.eye(2).to_sparse()}, path)
        with pytest.raises(CheckpointError, match="_rebuild_sparse_tensor"):
            read_checkpoint(path)
