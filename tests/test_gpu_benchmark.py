"""benchmarks/gpu.py: order of the cases, written results, and a tiny run on the CPU."""

import collections
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
BACKENDS = [name for name in ("jax", "torch") if importlib.util.find_spec(name)]
WITHOUT_TENSORFLOW = "import sys; sys.modules.update(tensorflow=None, av=None)\n"


@pytest.fixture(autouse=True)
def _scripts_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def load(name):
    return importlib.import_module(name)


@pytest.fixture
def environment(tmp_path):
    """Environment of a process in which TensorFlow and the video decoder are missing."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_TENSORFLOW)
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}


@pytest.mark.parametrize("side", ["jax", "torch", "peer"])
def test_every_case_is_planned_once_and_bfloat16_comes_first(side):
    cases = load("gpu_cases")
    plan = cases.plan(side, list(cases.NETWORKS), cases.MODES, cases.DTYPES, ("peak", "depthwise"))
    assert len(set(plan)) == len(plan)
    models = [case for case in plan if case[0] == "model"]
    networks = 6 if side == "peer" else 7  # MoViNet has no PyTorch original
    assert len(models) == networks * 2 * 2 * len(cases.forms(side))
    early = models[: networks * 2]
    assert {case[3] for case in early} == {"bfloat16"}
    assert plan[0][0] == "peak"


def test_results_are_written_after_every_case(tmp_path):
    cases, report = load("gpu_cases"), load("gpu_report")
    results = report.Results(tmp_path / "gpu.json", {})
    results.versions("jax", {"device": "NVIDIA H100 80GB HBM3"})
    case = ("model", "x3d_m", "train", "bfloat16", True)
    results.add("jax", case, {"clips_per_second": 300.0, "flops_per_clip": 329.6667e9})
    results.add("peer", case, {"clips_per_second": 200.0})
    facts = json.loads((tmp_path / "gpu.json").read_text())
    summary = facts["summary"]["x3d_m, train, bfloat16"]
    assert summary["clips_per_second"] == {"Keras, JAX": 300.0, "PyTorch compiled": 200.0}
    assert summary["over_best_pytorch"] == 1.5
    assert summary["share_of_bf16_peak"]["Keras, JAX"] == pytest.approx(0.1, rel=1e-3)
    results.add("torch", case, {"error": "no memory"})
    results.finish({"torch: logits": "no time left"}, 1.0)
    facts = json.loads((tmp_path / "gpu.json").read_text())
    assert facts["errors"] == {f"torch: {cases.key(case)}": "no memory"}
    assert facts["skipped"] == {"torch: logits": "no time left"}
    assert "| 300.0 (10 %) |" in results.table()
    assert "| 200.0 (" in results.table()


SIDE_THAT_WRITES = """
import json, os, signal, sys, time
name = sys.argv[sys.argv.index("--networks") + 1]
file = open({file!r}, "a", buffering=1)
def write(what, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        print(what, name, file=file)
        time.sleep(0.002)
for _ in range(2):
    write("compiles", 0.2)
    print(json.dumps({{"asks": True}}), flush=True)
    sys.stdin.readline()
    time.sleep(0.1)
    write("measures", 0.2)
    print("over", name, file=file)
    if name == "tsm_r50": os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps({{"over": True}}), flush=True)
write("compiles", 0.2)
print(json.dumps({{"end": True}}))
"""


def test_other_processes_are_stopped_during_a_measurement(tmp_path, monkeypatch):
    process, file = load("gpu_process"), tmp_path / "who"
    (tmp_path / "gpu_side.py").write_text(SIDE_THAT_WRITES.format(file=str(file)))
    monkeypatch.setattr(process, "HERE", tmp_path)
    gpu, names = load("gpu"), ["x3d_m", "tsm_r50", "slowonly_r50_4x16"]
    flags = ["--json", str(tmp_path / "json"), "--sides", "jax", "--seconds", "1"]
    monkeypatch.setattr(gpu, "NEEDS", {"jax": (), "torch": (), "peer": ()})
    args = gpu.build_parser().parse_args(
        [*flags, "--networks", *names, "--processes", "3", "--extras"]
    )
    errors = gpu.measure(args).facts["errors"]
    assert len(errors) == 4  # one for each case of a process that is always killed
    assert all(
        "tsm_r50" in case and "ended with exit code -9" in text for case, text in errors.items()
    )
    lines = [line.split() for line in file.read_text().splitlines()]
    measured, current = collections.Counter(), None
    for what, name in lines:
        if current is not None:
            assert (what in ("measures", "over"), name) == (True, current)
        if what == "measures":
            current = name
        elif what == "over":
            measured[name], current = measured[name] + 1, None
    # A process that dies during a measurement resumes with the next case, until none is left.
    assert measured == {"x3d_m": 2, "slowonly_r50_4x16": 2, "tsm_r50": 4}
    assert {name for what, name in lines if what == "compiles"} == set(names)


def test_profiles_group_kernels_by_kind():
    profile = load("gpu_profile")
    names = {
        "cudnn_generated_fort_native_sdpa_sm90_flash_bprop_wgmma_f16": "attention",
        "void cudnn::fusion::convert_dq_to_16bits<true>(void const*": "attention",
        "nvjet_sm90_tst_128x160_64x5_2x4_h_bz_NTT": "products",
        "gemm_fusion_dot_748": "products",
        "sm90_xmma_wgrad_indexed_implicit_gemm_bf16bf16": "convolutions",
        "loop_convert_fusion_2": "all else",
        "wrapped_concatenate_11": "all else",
        "Memset 0": "all else",
    }
    assert {name: profile.kind(name) for name in names} == names

    def plane(name, line):
        events = [types.SimpleNamespace(name=kernel, duration_ns=2e6) for kernel in names]
        return types.SimpleNamespace(
            name=name, lines=[types.SimpleNamespace(name=line, events=events)]
        )

    streams = plane("/device:GPU:0", "Stream #13"), plane("/device:GPU:0", "Stream #14")
    others = plane("/device:GPU:0", "XLA Ops"), plane("/host:CPU", "Stream #1")
    times = profile.kernels([*streams, *others])
    assert times == dict.fromkeys(names, 4e6)
    lines = profile.table(times, steps=2, most=1).splitlines()
    assert lines[0].split() == ["16.000", "ms", "100.0", "%", "all", "kernels"]
    assert lines[1].split() == ["6.000", "ms", "37.5", "%", "all", "else"]
    assert len(lines) == 1 + 4 + 1


@pytest.mark.skipif("jax" not in BACKENDS, reason="needs the extra 'backends': jax")
def test_profiling_without_a_gpu_is_reported(environment):
    flags = ["--smoke", "--network", "videomae_b", "--mode", "inference", "--batch", "3"]
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "gpu_profile.py"), *flags],
        env={**environment, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "clips/s" in result.stdout
    assert "cpu: the profiler recorded no GPU kernels" in result.stderr


def test_a_crashed_case_is_an_error_and_the_others_still_run(tmp_path, monkeypatch):
    gpu, process = load("gpu"), load("gpu_process")
    script = (
        "import json, sys\n"
        "first = int(sys.argv[sys.argv.index('--first') + 1])\n"
        "for number in range(first, 4):\n"
        "    print(json.dumps({'start': number}), flush=True)\n"
        "    if number == 1: sys.exit('out of memory')\n"
        "    print(json.dumps({'number': number, 'found': {}}), flush=True)\n"
        "print(json.dumps({'end': True}))\n"
    )
    (tmp_path / "gpu_side.py").write_text(script)
    monkeypatch.setattr(process, "HERE", tmp_path)
    args = gpu.build_parser().parse_args(["--json", "x", "--networks", "x3d_m", "--seconds", "1"])
    messages = []
    worker = process.Process(
        "jax", ["x3d_m"], [], args, 0, lambda _, message: messages.append(message)
    )
    worker.start()
    worker._thread.join(30)
    results = {
        message["number"]: message["found"]
        for message in messages
        if message and "number" in message
    }
    assert list(results) == [0, 1, 2, 3]
    assert "out of memory" in results[1]["error"]
    assert messages[-1] is None


def test_cases_without_time_left_are_reported(tmp_path):
    file = tmp_path / "gpu.json"
    load("gpu").main(["--json", str(file), "--smoke", "--minutes", "0", "--sides", "peer"])
    skipped = json.loads(file.read_text())["skipped"]
    if "torch" in BACKENDS:
        assert "peer: slowonly_r50_4x16, train, bfloat16" in skipped
    else:
        assert json.loads(file.read_text())["missing"] == {"peer": ["torch"]}


@pytest.mark.skipif(not BACKENDS, reason="needs the extra 'backends': jax or torch")
@pytest.mark.parametrize("backend", BACKENDS)
def test_models_and_training_need_no_tensorflow(backend, environment):
    code = (
        "import keras, keras_video, numpy as np\n"
        "from keras_video import inference, training, zoo\n"
        "model = keras_video.applications.X3D(input_shape=(4, 32, 32, 3), classes=2)\n"
        "row = zoo.row('slowfast_r50_4x16x1_256e_kinetics400_rgb')\n"
        "training.prepare_norms(model, row), training.row_loss(row)\n"
        "model.compile(training.SGD(0.1), 'sparse_categorical_crossentropy')\n"
        "assert inference.count_flops(model).total.multiply_adds\n"
        "assert 'tensorflow' not in keras_video.training.SGD.__module__"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]


@pytest.mark.skipif(not BACKENDS, reason="needs the extra 'backends': jax or torch")
def test_smoke_run_on_the_cpu(environment, tmp_path):
    file = tmp_path / "gpu.json"
    flags = ["--smoke", "--networks", "timesformer", "--sides", *BACKENDS, "--minutes", "5"]
    flags += ["--dtypes", "bfloat16", "--extras", "logits", "depthwise", "--json", str(file)]
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / "gpu.py"), *flags, "--forms", "usual"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    facts = json.loads(file.read_text())
    assert facts["errors"] == {}
    assert facts["skipped"] == {}
    sides = {"jax": "Keras, JAX", "torch": "Keras, torch"}
    for mode in ("train", "inference"):
        rates = facts["summary"][f"timesformer, {mode}, bfloat16"]["clips_per_second"]
        assert set(rates) == {sides[backend] for backend in BACKENDS}
    for backend in BACKENDS:
        assert max(facts["logits"][backend].values()) < 1e-4
        assert "small, train, grouped" in facts["depthwise"][backend]
