"""Handcrafted malicious pickles, as opcodes, and the files that contain them."""

import pickle
import struct
import zipfile

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
PREAMBLE = MAGIC + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def name(dotted):
    module, _, attribute = dotted.rpartition(".")
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def stack_name(module, attribute):
    return text(module) + text(attribute) + b"\x93"


def call(function, *arguments):
    """Opcodes of a call; strings are a function's dotted name and arguments that are text."""
    function = name(function) if isinstance(function, str) else function
    parts = [text(part) if isinstance(part, str) else part for part in arguments]
    return function + b"(" + b"".join(parts) + b"tR"


def sequence(*items):
    return b"](" + b"".join(text(i) if isinstance(i, str) else i for i in items) + b"e"


def live_payloads(mark):
    """Values that create the file `mark` when Python's own unpickler builds them."""
    touch, code = f"touch '{mark}'", f"open({str(mark)!r}, 'w')"
    system = call("os.system", touch)
    raw = call("_codecs.encode", system.decode("latin-1") + ".", "latin1")
    imported = call("builtins.__import__", "os")
    by_name = call("importlib.import_module", "os")
    path = call("pathlib.Path", str(mark))
    written = [
        ("builtins.open", str(mark), "w"),
        ("io.open", str(mark), "w"),
        ("io.FileIO", str(mark), "w"),
        ("gzip.open", str(mark), "w"),
        ("zipfile.ZipFile", str(mark), "w"),
        ("logging.FileHandler", str(mark)),
        ("os.mkdir", str(mark)),
        ("posix.mkdir", str(mark)),
        ("sqlite3.connect", str(mark)),
    ]
    run = [
        ("os.system", touch),
        ("posix.system", touch),
        ("subprocess.getoutput", touch),
        ("subprocess.call", sequence("touch", str(mark))),
        ("builtins.eval", code),
        ("builtins.exec", code),
        ("__builtin__.eval", code),
        ("timeit.timeit", "pass", code),
        ("cProfile.run", code),
        ("pickle.loads", raw),
        ("_pickle.loads", raw),
    ]
    chains = {
        "getattr of an import": call(call("builtins.getattr", imported, "system"), touch),
        "getattr of importlib": call(call("builtins.getattr", by_name, "system"), touch),
        "functools.partial": call(call("functools.partial", name("os.system"), touch)),
        "operator.methodcaller": call(call("operator.methodcaller", "touch"), path),
        "operator.attrgetter": call(call(call("operator.attrgetter", "touch"), path)),
        "list of map": call(
            "builtins.list", call("builtins.map", name("os.system"), sequence(touch))
        ),
        "functools.reduce": call(
            "functools.reduce", name("os.mkdir"), sequence(str(mark), b"K\x07")
        ),
        "INST": b"(" + text(touch) + b"ios\nsystem\n",
        "OBJ": b"(" + name("io.FileIO") + text(str(mark)) + text("w") + b"o",
        "STACK_GLOBAL": call(stack_name("os", "system"), touch),
        "dotted name": call(b"\x80\x04" + stack_name("pathlib", "Path.touch"), path),
        "BUILD": call(_rebuilt_partial(touch)),
        "dictionary key": b"}" + system + b"Ns",
        "pairs of an OrderedDict": call(
            "collections.OrderedDict", sequence(b"U\x01a" + system + b"\x86")
        ),
        "state of an OrderedDict": call("collections.OrderedDict") + b"}U\x01a" + system + b"sb",
        "factory of a defaultdict": b"K\x00"
        + call("collections.defaultdict", name("os.system"))
        + system
        + b"\x87",
        "argument of a Counter": call("collections.Counter", b"}" + system + b"K\x01s"),
        "state of an array": call("numpy.dtype", "O8", b"\x89\x88") + system + b"\x86",
        "long chain": b"]" * 2000 + system + b"a" * 2000,
    }
    return {row[0]: call(*row) for row in written + run} | chains


def _rebuilt_partial(touch):
    # A harmless partial whose state is then replaced: (function, arguments, keywords, attributes).
    state = b"(" + name("os.system") + text(touch) + b"\x85}Nt"
    return call("functools.partial", name("builtins.len")) + state + b"b"


_DANGEROUS = """
torch.load torch.jit.load torch.hub.load torch.serialization._load torch.classes.load
torch._utils._rebuild_sparse_tensor torch.utils.cpp_extension.load
torch._C.import_ir_module numpy.load numpy.memmap numpy.fromfile numpy.f2py.compile
pandas.read_pickle joblib.load dill.loads cloudpickle.loads yaml.unsafe_load marshal.loads
types.FunctionType types.CodeType ctypes.CDLL runpy.run_path webbrowser.open shutil.rmtree
os.remove os.execv os.popen pty.spawn nt.system socket.create_connection
urllib.request.urlopen copyreg._reconstructor copyreg.__newobj__ copyreg.add_extension
code.interact bdb.Bdb pdb.run builtins.__build_class__ builtins.setattr builtins.delattr
builtins.type builtins.object builtins.globals builtins.breakpoint builtins.input
collections.namedtuple weakref.finalize atexit.register keras.saving.load_model
keras.models.model_from_json tensorflow.io.read_file keras_video.weights.fetch.fetch
keras_video.weights.checkpoint.read_checkpoint
"""


def refused_payloads(mark):
    """Values that need PyTorch or the right moment to do harm, or that no VM should accept."""
    touch = f"touch '{mark}'"
    system = call("os.system", touch)
    rebuild = name("torch._utils._rebuild_tensor_v2")
    return {dotted: call(dotted, touch) for dotted in _DANGEROUS.split()} | {
        "NEWOBJ": name("subprocess.Popen") + text(touch) + b"\x85\x81",
        "NEWOBJ_EX": name("subprocess.Popen") + b")}\x92",
        "EXT1": b"\x82\x01",
        "EXT2": b"\x83\x01\x00",
        "EXT4": b"\x84\x01\x00\x00\x00",
        "text identifier": b"Pos.system\n",
        "identifier": text("os.system") + b"Q",
        "called identifier": system + b"Q",
        "type of an identifier": b"(" + text("storage") + system + b"U\x010U\x03cpuK\x01tQ",
        "key of an identifier": b"("
        + text("storage")
        + name("torch.FloatStorage")
        + system
        + b"U\x03cpuK\x01tQ",
        "module identifier": b"(" + text("module") + name("os.system") + b"NNtQ",
        "type that rebuilds": call(
            "torch._tensor._rebuild_from_type_v2",
            name("os.system"),
            name("torch.Tensor"),
            text(touch) + b"\x85}",
        ),
        "rebuild that nests": call(
            "torch._tensor._rebuild_from_type_v2",
            name("torch._tensor._rebuild_from_type_v2"),
            name("torch.Tensor"),
            b")}",
        ),
        "getattr of a token": call("builtins.getattr", name("torch.FloatStorage"), "__class__"),
        "getattr of a call": call("builtins.getattr", rebuild, "__globals__"),
        "getattr of a string": call("builtins.getattr", "text", "format"),
        "dotted token": stack_name("torch._utils", "_rebuild_tensor_v2.__globals__"),
        "token with a space": stack_name("torch ", "FloatStorage"),
        "name that is no string": b"K\x01K\x02\x93",
        "call of a number": b"K\x01)R",
        "call without a tuple": name("collections.OrderedDict") + b"]R",
        "state of a token": rebuild + b"}b",
        "state of a list": b"]}U\x09__class__" + name("torch.FloatStorage") + b"sb",
        "array of objects": call("numpy.dtype", "O", b"\x89\x88"),
        "array of records": call("numpy.dtype", "i4,O", b"\x89\x88"),
        "set of lists": b"\x8f(]\x90",
    }


def in_places(payload):
    """The pickles that hold a value at the root and in the entries a checkpoint has."""
    after = b"\x80\x02}"
    return {
        "root": b"\x80\x02" + payload + b".",
        "state": after + text("state_dict") + b"}" + text("w") + payload + b"ss.",
        "optimizer": after + text("optimizer") + sequence(payload) + b"s.",
    }


def write_zip(path, pickled, members=(("archive/data/0", b"\0" * 24),)):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for member, content in members:
            archive.writestr(member, content)
    return path


def write_legacy(path, pickled, keys=b"]."):
    path.write_bytes(PREAMBLE + pickled + keys)
    return path
