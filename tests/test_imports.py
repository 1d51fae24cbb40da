"""The import rules of ARCHITECTURE.md: which package may import which."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "keras_video"

# Top-level modules that every package may import.
SHARED = ("atomic", "callback_order", "progress", "quiet")
# For each package: the packages of keras_video and the third-party packages that it may import,
# besides numpy, absl and the standard library.
ALLOWED = {
    "sharded": ((), {"filelock", "fsspec", "ray"}),
    "layers": ((), {"keras"}),
    "weights": (
        (),
        {"keras", "h5py", "filelock", "tensorflow", "safetensors", "huggingface_hub", "keras_hub"},
    ),
    "zoo": (("applications",), set()),
    "applications": (("layers", "weights", "zoo"), {"keras", "filelock"}),
    "data": (
        ("zoo", "sharded"),
        {"keras", "tensorflow", "av", "tensorflow_io", "keras_cv", "cv2"},
    ),
    "inference": (
        ("layers", "data", "zoo", "weights", "sharded"),
        {"keras", "tensorflow", "h5py", "PIL", "jax", "torch"}
        | {"onnx", "onnxruntime", "openvino", "tf2onnx"}  # exported models
        | {"gradio"}  # the upload page
        | {"pyarrow"},  # Parquet shards
    ),
    "training": (
        ("layers", "data", "zoo", "inference", "weights"),
        {"keras", "tensorflow", "matplotlib", "filelock"},
    ),
    "probes": (
        ("applications", "layers", "data", "zoo", "inference", "training", "sharded"),
        {"keras"},
    ),
    "cli": (
        ("applications", "data", "inference", "probes", "sharded", "training", "weights", "zoo"),
        {"keras", "tensorflow", "matplotlib"},
    ),
}
# Packages and modules of `data`: each may import only those before it.
DATA = (
    "sampling",
    "shard_paths",
    "arrays",
    "annotations",
    "decoding",
    "parallel",
    "sources",
    "spans",
)
DATA += ("audio", "transforms", "pipelines", "rows", "embedded", "prepare")
EVERYWHERE = {"numpy", "absl", *sys.stdlib_module_names}
# In training, batch normalization calls TensorFlow's fused kernel, which Keras does not expose; for
# JAX and torch the same layer computes the same numbers with `keras.ops`.
KERNELS = {("keras_video/layers/batch_norm.py", "tensorflow")}


def imports(path):
    """Yields `(module, line)` for every import of a file, with relative imports resolved."""
    package = ["keras_video", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            if module == "keras_video":
                yield from ((f"keras_video.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield module, node.lineno


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_package_imports_only_what_is_allowed(package):
    own, others = ALLOWED[package]
    wrong = []
    for path in sorted((PACKAGE / package).rglob("*.py")):
        for module, line in imports(path):
            first, *rest = module.split(".")
            if first == "keras_video":
                fine = bool(rest) and rest[0] in (package, *own, *SHARED)
            else:
                fine = first in others or first in EVERYWHERE
            if not fine and (path.relative_to(ROOT).as_posix(), module) not in KERNELS:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", DATA)
def test_a_data_package_imports_only_those_before_it(package):
    folder, wrong = PACKAGE / "data" / package, []
    for path in folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]:
        for module, line in imports(path):
            *above, imported = module.split(".")[:3]
            if above == ["keras_video", "data"] and DATA.index(imported) > DATA.index(package):
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


def test_every_data_package_is_in_the_order():
    modules = {path.stem for path in (PACKAGE / "data").iterdir()} - {"__init__", "__pycache__"}
    assert modules == set(DATA)


def test_only_one_import_goes_upward():
    """Rows import the constructors in one module, when `row.model()` is called."""
    upward = {
        path.name
        for path in (PACKAGE / "zoo").rglob("*.py")
        for module, _ in imports(path)
        if module.startswith("keras_video.applications")
    }
    assert upward == {"building.py"}


def test_shared_constructor_code_does_not_import_the_families():
    """Code shared by the constructors is passed the one that it serves."""
    for name in ("model.py", "pretrained.py"):
        modules = {module for module, _ in imports(PACKAGE / "applications" / name)}
        assert "keras_video.applications" not in modules, name


def test_every_package_is_in_the_table():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == set(ALLOWED)


def test_models_and_layers_import_no_backend_except_for_a_kernel():
    backend_imports = {
        (path.relative_to(ROOT).as_posix(), module)
        for package in ("layers", "applications")
        for path in (PACKAGE / package).rglob("*.py")
        for module, _ in imports(path)
        if module.split(".")[0] in ("tensorflow", "jax", "torch")
    }
    assert backend_imports == KERNELS


def test_the_library_reads_no_flags():
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name != "cli":
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module == "absl":
                    assert not {alias.name for alias in node.names} & {"flags", "app"}, path
            assert "argparse" not in {module for module, _ in imports(path)}, path


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.slow(every_change=True)
def test_importing_the_package_does_not_import_the_data_code():
    result = run(
        "import sys, keras_video; assert 'keras_video.data' not in sys.modules; "
        "assert 'av' not in sys.modules; keras_video.data.video_dataset; "
        "assert 'keras_video.data' in sys.modules; keras_video.predict_video"
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("lacking", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_tensorflow_imported_too_early_warns_if_it_matters(first, lacking, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    # Any module under this name looks like an earlier import of TensorFlow.
    before = "sys.modules['tensorflow'] = sys" if first else "pass"
    cpu = f"startup.lacks_fast_instructions = lambda: {lacking}"
    result = run(
        f"import sys, types; {before}; "
        "import importlib.util as u; "
        f"spec = u.spec_from_file_location('startup', 'keras_video/startup.py'); "
        f"startup = u.module_from_spec(spec); spec.loader.exec_module(startup); {cpu}; "
        "startup._enable_onednn(); import os; assert os.environ['TF_ENABLE_ONEDNN_OPTS'] == '1'"
    )
    assert result.returncode == 0, result.stderr
    assert ("Import keras_video first" in result.stderr) == (first and lacking)


@pytest.mark.slow(every_change=True)
def test_importing_the_package_is_enough_to_load_a_saved_model(tmp_path):
    path = str(tmp_path / "model.keras")
    saved = run(
        "import keras_video; from keras_video.training import SGD; "
        "m = keras_video.applications.TSN(backbone='resnet18', input_shape=(2, 32, 32, 3)); "
        f"m.compile(SGD(0.1), 'sparse_categorical_crossentropy'); m.save({path!r})"
    )
    assert saved.returncode == 0, saved.stderr
    loaded = run(f"import keras, keras_video; print(keras.models.load_model({path!r}).optimizer)")
    assert "keras_video.training" in loaded.stdout, loaded.stderr
