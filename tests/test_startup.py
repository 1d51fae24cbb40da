"""What `import keras_video` loads, and that classes of saved models are registered with Keras."""

import subprocess
import sys
from pathlib import Path

import pytest

from keras_video import startup

ROOT = Path(__file__).parents[1]
HEAVY = ("keras", "tensorflow", "av", "h5py")
KNOWN = (
    "import keras; found = keras.saving.get_custom_objects(); "
    "assert {'keras_video>VideoModel', 'keras_video>SGD', 'keras_video>BatchNormalization'} "
    "<= set(found), list(found)"
)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)


def test_importing_the_package_and_the_zoo_loads_nothing_heavy():
    result = run(
        "import sys, keras_video; from keras_video import zoo; "
        "zoo.table(dataset='kinetics400', sort='top1'); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert result.stdout.strip() == "[]", result.stderr


@pytest.mark.parametrize("command", ["['zoo', '--family=tsn']", "['--help']"])
def test_lightweight_commands_load_nothing_heavy(command):
    result = run(
        f"import sys; from keras_video.cli.main import main; main({command}); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert result.stdout.strip().endswith("[]"), result.stderr


@pytest.mark.parametrize(
    "first",
    [
        "import keras_video",
        "import keras, keras_video",
        pytest.param("import keras_video.layers.convolution", marks=pytest.mark.slow),
        "from keras_video.training.optimizers import SGD",
        pytest.param("import keras_video.weights", marks=pytest.mark.slow),
        pytest.param(
            "import importlib.util, keras_video; importlib.util.find_spec('keras')",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_classes_are_registered_whatever_is_imported_first(first):
    result = run(f"{first}; {KNOWN}")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("flags", "lacking"),
    [
        ("fpu sse4_2 avx avx2 fma", True),
        ("avx2 avx512f avx512dq", True),  # TensorFlow requires VNNI, BF16 or AMX
        ("avx2 avx512f avx512_vnni", False),
        ("avx2 avx_vnni", False),
    ],
)
def test_cpus_that_need_onednn_enabled(tmp_path, flags, lacking):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: none\n")
    assert startup.lacks_fast_instructions(file) is lacking


def test_other_machines_need_no_onednn_setting(tmp_path):
    assert not startup.lacks_fast_instructions(tmp_path / "none")
    (tmp_path / "arm").write_text("processor\t: 0\nFeatures\t: fp asimd\n")
    assert not startup.lacks_fast_instructions(tmp_path / "arm")
