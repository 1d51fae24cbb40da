"""Editor support of the package: names, completions, signatures."""

import importlib.util
import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import keras_video
from keras_video import applications, data, inference, probes, training

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PACKAGES = {"data": data, "inference": inference, "probes": probes, "training": training}


def writer():
    path = ROOT / ".ci" / "write_stubs.py"
    spec = importlib.util.spec_from_file_location("write_stubs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stubs_match_the_packages():
    for file, text in writer().stubs().items():
        stored = (ROOT / file).read_text(encoding="utf-8")
        assert stored == text, f"run python .ci/write_stubs.py: {file} differs"


def test_dir_lists_public_names_and_no_imports():
    assert dir(keras_video) == sorted([*keras_video.__all__, "__version__"])
    assert not {"importlib", "os", "sys", "logging"} & set(dir(keras_video))
    for package in PACKAGES.values():
        assert dir(package) == sorted(package.__all__)
        assert not [name for name in package.__all__ if not hasattr(package, name)]
    assert "export_model" in dir(inference) and "predict_video" in dir(inference)


def test_the_model_class_is_public():
    assert keras_video.VideoModel is applications.VideoModel
    model = applications.TSN(backbone="resnet18", classes=2, input_shape=(1, 32, 32, 3))
    assert type(model) is keras_video.VideoModel


@pytest.mark.parametrize("package", ["inference", "probes", "training"])
def test_public_functions_spell_out_their_options(package):
    module, hidden = PACKAGES[package], []
    for name in module.__all__:
        value = getattr(module, name)
        if not (inspect.isclass(value) or inspect.isfunction(value)):
            continue
        if inspect.isclass(value) and issubclass(value, Exception):
            continue
        kinds = {parameter.kind for parameter in inspect.signature(value).parameters.values()}
        if inspect.Parameter.VAR_KEYWORD in kinds:
            hidden.append(name)
    assert hidden == []


def test_every_constructor_accepts_the_arguments_of_row_model():
    from keras_video import zoo

    named = inspect.signature(zoo.Row.model).parameters
    for row in zoo.rows(kind="example"):
        constructor = inspect.signature(getattr(applications, row.constructor)).parameters
        common = {name for name in named if name not in ("self", "weights", "overrides")}
        assert common <= set(constructor), row.constructor
    model = zoo.row("tsn_r18_1x1x4_moving_shapes").model(classes=7, input_shape=(2, 32, 32, 3))
    assert model.output_shape == (None, 7) and model.input_shape == (None, 2, 32, 32, 3)


SOURCE = """\
import keras_video
from keras_video import data, inference, training

reveal_type(data.video_dataset_from_directory)
reveal_type(inference.export_model)
reveal_type(training.evaluate_views)
reveal_type(training.train)
reveal_type(keras_video.VideoModel)
reveal_type(keras_video.predict_video)
keras_video.data.video_dataset
keras_video.inference.no_such_name
"""


@pytest.mark.skipif(not shutil.which("pyright"), reason="pip install pyright")
def test_pyright_knows_names_and_signatures(tmp_path):
    (tmp_path / "use.py").write_text(SOURCE)
    settings = {"extraPaths": [str(ROOT)], "reportMissingModuleSource": False}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = ["pyright", "--outputjson", "--pythonpath", sys.executable, "use.py"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    if not run.stdout.startswith("{"):
        pytest.skip(f"pyright does not run here: {run.stderr[-200:]}")
    diagnostics = json.loads(run.stdout)["generalDiagnostics"]
    messages = {
        entry["range"]["start"]["line"] + 1: entry["message"]
        for entry in diagnostics
        if entry["severity"] == "information"
    }
    for line, argument in ((4, "validation_split"), (5, "batch_size"), (6, "max_views")):
        assert argument in messages[line], messages
    assert "settings" in messages[7] and "type[VideoModel]" in messages[8] and "path" in messages[9]
    errors = {
        entry["range"]["start"]["line"] + 1 for entry in diagnostics if entry["severity"] == "error"
    }
    assert errors == {11}, diagnostics


@pytest.mark.parametrize(
    ("code", "name", "argument"),
    [
        ("keras_video.data.video_dataset_from_d", "video_dataset_from_directory", "sampling"),
        ("keras_video.inference.export_m", "export_model", "format"),
        ("keras_video.training.evaluate_v", "evaluate_views", "score_average"),
        ("keras_video.training.tra", "train", "settings"),
        ("keras_video.predict_v", "predict_video", "path"),
    ],
)
def test_jedi_completes_and_shows_signatures(code, name, argument):
    jedi = pytest.importorskip("jedi")
    project = jedi.Project(ROOT)
    text = f"import keras_video\n{code}"
    names = {completion.name for completion in jedi.Script(text, project=project).complete()}
    assert name in names
    call = f"{text.rpartition('.')[0]}.{name}("
    signatures = jedi.Script(call, project=project).get_signatures()
    assert any(
        argument in [parameter.name for parameter in signature.params] for signature in signatures
    )
