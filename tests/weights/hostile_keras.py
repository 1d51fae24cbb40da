"""Handcrafted Keras files that would run code or read other files when opened."""

import base64
import json
import marshal
import zipfile

import h5py
import numpy as np

# Code that creates the folder `path` if it runs.
LAMBDA = "lambda x: (__import__('os').makedirs({path!r}, exist_ok=True), x)[1]"


def rewrite(source, target, *, config=None, weights=None, extra=(), drop=(), compression=0):
    """A `.keras` file with other parts: `config(dict)` changes the config, `weights` is a path."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            content = old.read(name)
            if name in drop:
                continue
            if name == "config.json" and config:
                read = json.loads(content)
                content = json.dumps(config(read) or read)
            if name == "model.weights.h5" and weights:
                content = weights.read_bytes()
            new.writestr(name, content)
        for name, content in extra:
            new.writestr(name, content)
    return target


def with_layer(entry):
    """Replaces the entry of the last layer."""

    def change(config):
        last = config["config"]["layers"][-1]
        name = last["config"]["name"]
        inner = {"name": name, **entry["config"]} if isinstance(entry["config"], dict) else name
        config["config"]["layers"][-1] = {**last, "build_config": None, **entry, "config": inner}

    return change


def lambda_entry(path):
    """A `Lambda` layer that creates the folder `path` when it is called."""
    code = compile(LAMBDA.format(path=str(path)), "<file>", "eval")
    function = eval(code).__code__
    return {
        "module": "keras.layers",
        "class_name": "Lambda",
        "registered_name": None,
        "config": {
            "function": {
                "class_name": "__lambda__",
                "config": {
                    "code": base64.b64encode(marshal.dumps(function)).decode(),
                    "defaults": None,
                    "closure": None,
                },
            }
        },
    }


def hostile_hdf5(folder, good):
    """`{kind: file}`: copies of the weights `good`, each with one reference out of the file.

    They lead to `secret.h5` and `secret.bin` in the folder.
    """
    with h5py.File(folder / "secret.h5", "w") as file:
        file["kernel"] = np.arange(12.0)
    (folder / "secret.bin").write_bytes(np.arange(12.0).tobytes())

    def soft(group):
        group["other"] = h5py.SoftLink("/layers")

    def external(group):
        group["other"] = h5py.ExternalLink(str(folder / "secret.h5"), "kernel")

    def dangling(group):
        group["other"] = h5py.ExternalLink("nowhere.h5", "/")

    def storage(group):
        file = (str(folder / "secret.bin"), 0, 96)
        group.create_dataset("other", (12,), "f8", external=[file])

    def virtual(group):
        layout = h5py.VirtualLayout((12,), "f8")
        layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "kernel", (12,))
        group.create_virtual_dataset("other", layout)

    def bomb(group):
        group.create_dataset("other", (1 << 40,), "f4", chunks=(1 << 20,))

    def packed(group):
        group.create_dataset("other", data=np.zeros(1 << 25, "f4"), compression="gzip")

    def text(group):
        group["other"] = ["a", "b"]

    def reference(group):
        group.create_dataset("other", data=group.ref, dtype=h5py.ref_dtype)

    files = {}
    for change in (soft, external, dangling, storage, virtual, bomb, packed, text, reference):
        path = folder / f"{change.__name__}.weights.h5"
        path.write_bytes(good.read_bytes())
        with h5py.File(path, "a") as file:
            deep = file.require_group("layers/deep/down")
            change(deep)
        files[change.__name__] = path
    return files
