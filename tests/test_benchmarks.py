"""The benchmark harness on synthetic timings and tiny workers, and the scripts' flags."""

import importlib
import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _scripts_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def load(name):
    return importlib.import_module(name)


class Scripted:
    """A side that returns scripted seconds, one measurement after another."""

    def __init__(self, name, *measurements):
        self.name = name
        self.repeats = []
        self._measurements = itertools.cycle(measurements)

    def measure(self, repeats):
        self.repeats.append(repeats)
        return next(self._measurements)

    def cpu_seconds(self):
        return 0.0


def comparison(*rounds, names=("ours", "peer")):
    harness = load("harness")
    samples = tuple(
        tuple(harness.Sample(seconds, seconds, foreign, seconds / 2) for seconds, foreign in pairs)
        for pairs in rounds
    )
    return harness.Comparison(names, samples, 0.1)


def test_ratio_is_the_median_over_rounds_of_peer_over_ours():
    result = comparison(
        ((1.0, 0), (2.0, 0)), ((2.0, 0), (6.0, 0)), ((4.0, 0), (4.0, 0)), ((1.0, 0), (4.0, 0))
    )
    ratio = result.ratio(1)
    assert (ratio.low, ratio.median, ratio.high) == (1.75, 2.5, 3.25)
    assert result.seconds(0).median == 1.5
    assert result.seconds(1).median == 4.0
    assert result.ratio(0).median == 1.0
    assert (result.fastest(0), result.fastest(1)) == (0.5, 1.0)


def test_disturbed_rounds_are_left_out_and_reported():
    result = comparison(((1.0, 0), (2.0, 0)), ((1.0, 0), (50.0, 0.9)), ((1.0, 0), (2.0, 0.05)))
    assert result.ratio(1).high == 2.0
    text = load("report").table(result)
    assert "1 of 3 rounds" in text
    assert "of the other 2." in text


def test_figures_are_marked_untrusted_if_all_rounds_were_disturbed():
    text = load("report").table(comparison(((1.0, 2.0), (3.0, 2.0))))
    assert "NOT to be trusted" in text
    assert "3.00" in text


def test_unknown_machine_load_is_reported():
    text = load("report").table(comparison(((1.0, None), (3.0, None))))
    assert "unknown" in text


def test_rate_table_has_a_higher_rate_for_the_faster_side():
    text = load("report").table(comparison(((2.0, 0), (4.0, 0))), per_second=(8, "clips"))
    ours, peer = text.splitlines()[1:3]
    assert ours.split()[:2] == ["ours", "4.00"]
    assert peer.split()[:2] == ["peer", "2.00"]
    assert "2.00 (2.00 - 2.00)" in peer


def test_sides_alternate_and_repeat_to_fill_the_time(monkeypatch):
    harness = load("harness")
    monkeypatch.setattr(harness.idle, "machine_cpu_seconds", lambda: None)
    ours, peer = Scripted("ours", [0.25], [0.1, 0.3, 0.2]), Scripted("peer", [5.0], [4.0])
    result = harness.compare([ours, peer], rounds=1, seconds=1.0, pause=0)
    assert ours.repeats == [1, 4]
    assert peer.repeats == [1, 1]
    assert result.rounds[0][0].seconds == 0.2
    assert result.ratio(1).median == pytest.approx(20)


def test_disturbed_rounds_are_repeated_up_to_twice_the_rounds(monkeypatch):
    harness = load("harness")
    busy = iter([0, 0.5, 0, 0, 0, 0])
    monkeypatch.setattr(harness.idle, "machine_cpu_seconds", lambda: 0.0)
    monkeypatch.setattr(harness.idle, "foreign_cores", lambda *_: next(busy))
    sides = [Scripted("ours", [1.0]), Scripted("peer", [2.0])]
    result = harness.compare(sides, rounds=2, seconds=1.0, pause=0)
    assert (len(result.rounds), len(result.quiet)) == (3, 2)
    monkeypatch.setattr(harness.idle, "foreign_cores", lambda *_: 1.0)
    result = harness.compare(sides, rounds=2, seconds=1.0, pause=0)
    assert (len(result.rounds), len(result.quiet)) == (4, 0)


def test_foreign_cores_exclude_the_measured_side():
    idle = load("idle")
    assert idle.foreign_cores(5.0, 2.0, 2.0) == pytest.approx(1.5, abs=0.05)
    assert idle.foreign_cores(2.0, 2.0, 2.0) == 0
    assert idle.foreign_cores(None, 2.0, 2.0) is None


def test_in_process_callable_is_timed():
    harness = load("harness")
    result = harness.compare(
        [
            harness.InProcess("short", lambda: time.sleep(0.01)),
            harness.InProcess("long", lambda: time.sleep(0.04)),
        ],
        rounds=2,
        seconds=0.02,
        pause=0,
    )
    assert 2 < result.ratio(1).median < 6


WORKER = """
import os, signal, sys, time
sys.path.insert(0, {benchmarks!r})
import worker
def prepare():
    print("a library greets")
    {body}
    return (lambda: time.sleep(0.01)), {{"built": 1}}
worker.serve(prepare)
"""


def worker_command(body="pass"):
    return [sys.executable, "-c", WORKER.format(benchmarks=str(BENCHMARKS), body=body)]


def test_worker_is_idle_between_requests():
    process = load("process")
    with process.run_workers([process.Worker("one", worker_command())]) as (side,):
        assert side.facts == {"built": 1}
        seconds = side.measure(3)
        assert len(seconds) == 3
        assert min(seconds) >= 0.01
        if Path("/proc").exists():
            before = side.cpu_seconds()
            assert before > 0
            time.sleep(0.3)
            assert side.cpu_seconds() - before <= 0.02


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no such row')", "ValueError: no such row"),
        ("sys.stderr.write('out of memory'); sys.stderr.flush(); sys.exit(3)", "out of memory"),
        ("sys.exit(3)", "one: ended with exit code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "one: killed by SIGKILL, probably out of memory"),
        ("time.sleep(60)", "waited at most 1 s"),
    ],
)
def test_worker_failure_reports_its_last_output(body, message):
    process = load("process")
    worker = process.Worker("one", worker_command(body), timeout=1 if "sleep" in body else 60)
    with pytest.raises(process.WorkerError, match=message), process.run_workers([worker]):
        pass


def test_worker_killed_between_measurements_is_reported():
    process = load("process")
    with process.run_workers([process.Worker("one", worker_command())]) as (side,):
        os.kill(side._process.pid, signal.SIGKILL)
        side._process.wait()
        with pytest.raises(process.WorkerError, match="one: killed by SIGKILL"):
            side.measure(1)


def test_missing_python_is_reported():
    process = load("process")
    with pytest.raises(process.WorkerError, match="no/such/python"):
        process.Worker("peer", ["no/such/python"])


@pytest.mark.parametrize("line", ["run", "run 0", "walk 3", ""])
def test_invalid_requests_are_rejected(line):
    with pytest.raises(ValueError, match="run N"):
        load("worker").parse_request(line)


def test_model_benchmark_passes_its_flags_to_both_sides(monkeypatch):
    models = load("models")
    commands = []
    monkeypatch.setattr(models, "Worker", lambda name, command, **_: commands.append(command))
    flags = {"row": "r", "shape": "1,8,64,64,3", "mode": "train", "peer_python": "p", "rounds": 3}
    args = models.build_parser().parse_args([f"--{flag}={value}" for flag, value in flags.items()])
    list(models.workers(args))
    assert args.rounds == 3
    ours, peer, last = commands
    assert ours[0] == sys.executable
    assert peer[0] == "p"
    assert last == [*peer, "--channels_last"]
    parsed = load("keras_model").build_parser().parse_args(ours[2:])
    assert (parsed.row, parsed.shape, parsed.mode) == ("r", (1, 8, 64, 64, 3), "train")


def test_family_table_has_ratios_and_geometric_means():
    cases = {"one": ({"Keras": [1.0, 3.0]}, 5), "two": ({"Keras": [4.0, 3.0]}, 4)}
    assert load("families").table(3, "train", cases).splitlines() == [
        "| 3-D, train | Keras | undisturbed rounds |",
        "| --- | --- | --- |",
        "| one | 1.00 (3.00) | 5 |",
        "| two | 4.00 (3.00) | 4 |",
        "| geometric mean | 2.00 (3.00) | |",
    ]


def test_stream_benchmark_compares_streams_and_clips_of_a_row(monkeypatch):
    models, stream = load("models"), load("stream")
    sides = {}
    for module in (models, stream):
        monkeypatch.setattr(
            module, "Worker", lambda name, command, **_: sides.update({name: command})
        )
    args = stream.build_parser().parse_args(["--peer_python=python-of-peer", "--shape=1,4,32,32,3"])
    args.row, args.mode = "some_row", "inference"
    list(stream.workers(args))
    assert list(sides) == [
        "Stream",
        "Stream, folded",
        "Keras",
        "Keras, frozen",
        "Keras, folded",
        "Keras, folded and frozen",
        "Keras, folded, Winograd, frozen",
        "PyTorch",
        "PyTorch channels_last",
    ]
    for name, command in sides.items():
        text = [str(part) for part in command]
        assert text[text.index("--row") + 1] == "some_row"
        assert text[text.index("--shape") + 1] == "1,4,32,32,3"
        assert ("--folded" in text) == ("folded" in name)
        assert ("--frozen" in text) == ("frozen" in name)
        assert ("--winograd" in text) == ("Winograd" in name)
        assert ("keras_stream.py" in text[1]) == name.startswith("Stream")


def test_stream_benchmark_covers_every_runtime(monkeypatch):
    stream, side = load("stream"), load("stream_side")
    commands = {}
    monkeypatch.setattr(
        stream, "Worker", lambda name, command, **_: commands.update({name: command})
    )
    args = stream.build_parser().parse_args(["--threads=2"])
    assert args.peer_python is None
    list(stream.step_workers(args, "movinet_a0_stream"))
    parsed = {
        name: side.build_parser().parse_args([str(part) for part in command[2:]])
        for name, command in commands.items()
    }
    assert [*parsed][0] == "LiteRT" and "Keras Stream" in parsed
    assert {options.form for options in parsed.values()} == set(side.FORMS)
    assert {(options.row, options.threads) for options in parsed.values()} == {
        ("movinet_a0_stream", 2)
    }


@pytest.mark.slow
def test_stream_benchmark_runs(tmp_path, monkeypatch, capsys):
    stream = load("stream")
    flags = ["--rounds=1", "--seconds=0.05", f"--json={tmp_path}/a.json"]
    monkeypatch.setattr(sys, "argv", ["stream.py", *flags])
    stream.main()
    shown = capsys.readouterr().out
    assert load("report").processor() in shown
    assert "LiteRT, int8" in shown and " ms " in shown and "left out" in shown
    sides = json.loads((tmp_path / "a.json").read_text())["movinet_a0_stream"]["sides"]
    assert [*sides] == [*stream.FORMS]


def test_times_are_in_milliseconds_if_requested():
    text = load("report").table(comparison(((0.002, 0), (0.004, 0))), milliseconds=True)
    assert "ms" in text.splitlines()[0] and "seconds" not in text.splitlines()[0]
    assert "4.0000" in text


def test_loading_benchmark_passes_its_flags_to_both_sides(monkeypatch):
    loading = load("loading")
    commands = []
    monkeypatch.setattr(loading, "Worker", lambda name, command, **_: commands.append(command))
    args = loading.build_parser().parse_args(["--peer_python", "p"])
    list(loading.workers(args, "views", 2, "clips.txt"))
    parsed = [load("loading_worker").build_parser().parse_args(command[2:]) for command in commands]
    assert [options.bare for options in parsed] == [False, False, True]
    assert {
        (options.case, options.calls, options.batch_size, options.list) for options in parsed
    } == {("views", 2, 1, "clips.txt")}
    with pytest.raises(SystemExit, match="belong together"):
        loading.select_clips(
            loading.build_parser().parse_args(["--peer_python", "p", "--clips", "c"])
        )


def test_bare_decode_returns_every_requested_frame(tmp_path):
    from keras_video.data.embedded.moving_shapes import make_moving_shapes

    shapes = make_moving_shapes(tmp_path / "shapes", videos_per_class=1, val_videos_per_class=1)
    video = next((tmp_path / "shapes").rglob("*.mp4"))
    bare = load("bare_decode")
    for frames in ([0], [3, 1, 1, 7], [15, 0]):
        assert bare.video(video, frames).decode() == len(set(frames)), shapes


@pytest.mark.parametrize("case", ["sparse", "frames", "audio"])
def test_every_case_loads_its_generated_files(tmp_path, case):
    from keras_video.data import Record
    from keras_video.data.embedded.audio_shapes import make_audio_shapes

    shapes = make_audio_shapes(
        tmp_path / "shapes", videos_per_class=1, val_videos_per_class=1, frames=64, size=32
    )
    records = [Record(str(path), (2,)) for path in sorted((shapes.root / "val").rglob("*.mp4"))]
    (tmp_path / "made").mkdir()
    file = load("loading_files").write_list(case, records, tmp_path / "made")
    entries = load("loading_worker").entries(file)
    assert [(frames, label) for _, frames, label in entries] == [(64, 2)] * len(records)
    loading_case = load("keras_loading").CASES[case]
    (clips, labels), *rest = loading_case.dataset(file, batch_size=len(records))
    assert clips.shape[1:] == ((126, 80, 1) if case == "audio" else (8, 224, 224, 3))
    assert labels.numpy().tolist() == [2] * len(records)
    assert not rest
    frames = loading_case.sampling(64, training=True, rng=np.random.default_rng(0))
    bare = load("bare_decode").plan(case, entries[0][0], frames)
    assert bare.decode() == {"audio": 64 * 16000 // 25}.get(case, 8)


def test_clip_time_is_attributed_to_loading_stages(tmp_path):
    from keras_video.data import Record
    from keras_video.data.embedded.moving_shapes import make_moving_shapes

    profile = load("loading_profile")
    shapes = make_moving_shapes(tmp_path / "shapes", videos_per_class=1, val_videos_per_class=1)
    records = [Record(str(path), (2,)) for path in sorted(shapes.root.rglob("val/**/*.mp4"))[:2]]
    file = load("loading_files").write_list("sparse", records, tmp_path)
    runs = dict(profile.stages("sparse", file))
    names = ["bare decoding", "reading", "Resize", "MultiScaleCrop", "Flip, Normalize"]
    assert list(runs) == names
    seconds = profile.measure_stages(runs, len(records), rounds=1)
    assert min(seconds.values()) > 0
    text = profile.table(dict(zip(names, (10.0, 15.0, 22.0, 24.0, 25.0), strict=True)))
    cells = [line.split() for line in text.splitlines()]
    assert [float(cell[-4]) for cell in cells[:-1]] == [10, 5, 7, 2, 1]
    assert [float(cell[-2]) for cell in cells[:-1]] == [40, 20, 28, 8, 4]
    assert cells[-1][-2:] == ["25.00", "ms"]


def test_simulated_throughput_is_bound_by_cores_and_lock():
    simulation = load("loader_simulation")
    assert simulation.throughput(1, 0.1, 0.01) == pytest.approx(10)
    assert simulation.throughput(4, 0.1, 0.0) == pytest.approx(40)
    few, many = (simulation.throughput(cores, 0.1, 0.01) for cores in (4, 64))
    assert 35 < few < 40  # they rarely wait for each other
    assert 99 < many <= 100
    threads = {"dense": {"alone": 0.1, "lock": 0.01}}
    workers = {"dense": {"alone": 0.2, "lock": 0.001}}
    text = simulation.table(threads, workers, (2, 64))
    assert "| dense, threads | 100.0 | 10.00 | 20 | 100 |" in text
    assert "| dense, workers | 100.0 | 1.00 | 20 | " in text


def test_training_cost_names_the_bottleneck():
    cost = load("training_cost")
    rows = "| TSM-R50, training | 500 (10 %) | 98 |\n| TSM-R50, inference | 9 (1) |"
    assert cost.gpu_rates(rows) == {"TSM-R50": 500}
    machine = cost.Machine(price=2.0, cores_per_gpu=10, scaling=0.5, core_speed=1.0)
    fast = {"seconds": 0.01, "lock": 0.0, "workers": 0.0}
    single = cost.plan_training(100.0, fast, 10, 36_000, 1, machine)
    assert single == {"hours": 1.0, "cost": 2.0, "clips": 100.0, "bottleneck": "GPU"}
    many = cost.plan_training(100.0, fast, 10, 36_000, 8, machine)
    assert many["clips"] == 400 and many["cost"] == pytest.approx(4.0)
    slow = cost.plan_training(100.0, {**fast, "seconds": 1.0}, 10, 36_000, 1, machine)
    assert (slow["hours"], slow["bottleneck"]) == (pytest.approx(10), "the loader's cores")
    # With 80 cores, worker processes load the clips, and each clip takes less of Python's lock.
    locked = {"seconds": 0.1, "lock": 9.0, "workers": 0.05}
    plan = cost.plan_training(1e6, locked, 1, 36_000, 16, machine)
    assert plan["bottleneck"] == "Python's lock"
    assert plan["clips"] == pytest.approx(40, rel=0.01)


def test_loading_costs_of_other_clips_are_not_reused(tmp_path, monkeypatch):
    cost = load("training_cost")
    monkeypatch.setattr(cost, "measure_loading", lambda row, records, times: {"seconds": times})
    (tmp_path / "list.txt").write_text("a.mp4 0\n")
    files = {"clips": tmp_path, "list": tmp_path / "list.txt", "loader": tmp_path / "loader.json"}
    flags = [f"--{name}={path}" for name, path in files.items()]
    measured = cost.stored_or_measured(cost.build_parser().parse_args([*flags, "--times=3"]))
    assert set(measured) == set(cost.NETWORKS) and measured[next(iter(measured))] == {"seconds": 3}
    monkeypatch.delattr(cost, "measure_loading")
    assert (
        cost.stored_or_measured(cost.build_parser().parse_args([*flags, "--times=3"])) == measured
    )
    with pytest.raises(SystemExit, match="'times': 3.*, received .*'times': 4"):
        cost.stored_or_measured(cost.build_parser().parse_args([*flags, "--times=4"]))


def test_runtime_table_compares_with_the_best_other_runtime():
    runtimes = load("runtimes")
    case = {
        "milliseconds": {
            "optimize": 100.0,
            "OpenVINO": 90.0,
            "PyTorch eager": 200.0,
            "OpenVINO, original": 80.0,
        },
        "fastest": {"optimize": 80.0, "OpenVINO": 90.0, "OpenVINO, original": 76.0},
        "over_first": {
            "optimize": 1.0,
            "OpenVINO": 0.9,
            "PyTorch eager": 2.0,
            "OpenVINO, original": 0.8,
        },
        "facts": {"optimize": {"form": "folded"}},
    }
    text = runtimes.table({"tsn, 1": case})
    ratios = "| 0.80 | 0.95 | 2.00 | 2.00 | folded |"
    assert "| tsn, 1 | 100 | – | – | 90 | 200 | – | – | – | 80 | – " + ratios in text
    assert "Lowest ratio to the best other: 0.80; of the fastest repetitions: 0.95." in text


def test_processor_name_includes_vector_instructions(tmp_path):
    file = tmp_path / "cpuinfo"
    file.write_text("model name\t: Some CPU\nflags\t\t: fpu avx2 avx512f amx_bf16\n\nsiblings: 2\n")
    assert load("report").processor(file) == "Some CPU avx2 avx512f amx_bf16"
    assert load("report").processor(tmp_path / "absent")


def test_training_table_compares_with_eager_and_the_best_variant():
    runtimes = load("runtimes")
    case = {
        "milliseconds": {"Keras": 100.0, "PyTorch eager": 150.0, "PyTorch compiled": 120.0},
        "fastest": {"Keras": 100.0, "PyTorch eager": 140.0, "PyTorch compiled": 110.0},
        "over_first": {"Keras": 1.0, "PyTorch eager": 1.5, "PyTorch compiled": 1.2},
        "facts": {"Keras": {}},
    }
    text = runtimes.table({"tsn, 1": case}, "train")
    assert "| tsn, 1 | 100 | 150 | – | 120 | – | 1.20 | 1.10 | 1.50 | 1.20 | – |" in text
    assert "| geometric mean | | | | | | 1.20 | 1.10 | 1.50 | 1.20 | |" in text
    lengths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(lengths) == 1  # otherwise Markdown renders no table


def test_all_sides_train_in_bfloat16(monkeypatch):
    runtimes = load("runtimes")
    monkeypatch.setattr(runtimes, "Worker", lambda name, command, environment: command)
    flags = ["--mode=train", "--peer_python=python", "--bfloat16"]
    args = runtimes.build_parser().parse_args(flags)
    row = "r3d_18_16x2x1_45e_kinetics400_torchvision"
    commands = [start() for _, start in runtimes.workers(args, row, "1,16,112,112,3")]
    assert len(commands) == 4 and all("--bfloat16" in command for command in commands)
    monkeypatch.setattr(sys, "argv", ["runtimes.py", *flags[1:]])
    with pytest.raises(SystemExit, match="received --mode inference, expected train"):
        runtimes.main()


def test_runtime_cases_cover_every_family():
    from keras_video import zoo

    cases = load("runtime_cases").CASES
    families = {zoo.row(name).family for name in cases}
    assert families == set(zoo.families()) - {"audio"}
    for name, case in cases.items():
        command, _ = case.peer_command("train")
        assert command[0].exists(), name
        assert case.shape.count(",") == 3, name


def test_kernel_times_are_summed_by_purpose():
    kernels = load("kernels")
    head = "onednn_verbose,v1,primitive,"
    memory = "src:f32::blocked:acdeb::f0 wei:f32:ap:blocked:Acdeb16a::f0,attr-scratchpad:user,"
    lines = [
        head + "info,template:operation,engine,primitive,implementation,prop_kind,exec_time",
        f"{head}exec,cpu,convolution,brg_conv_fwd:avx512_core,forward_training,{memory}alg,mb1,2.5",
        f"{head}exec,cpu,convolution,brg:avx512_core,backward_data,{memory}alg,mb1,1.5",
        f"{head}exec,cpu,convolution,jit:avx512_core,backward_weights,{memory}alg,mb1,4",
        f"{head}exec,cpu,gemm_api,,undef,src_f32::blocked:ab:f0,,,300x300:300x300,0.25",
        f"{head}exec,cpu,reorder,jit:uni,undef,{memory},8x8x3x3x3,0.5",
        "something else,exec",
    ]
    times, count = kernels.kernels(lines)
    assert count == 5
    assert times == {
        "forward": 2.75, "input gradients": 1.5, "weight gradients": 4.0, "other kernels": 0.5
    }  # fmt: skip
    parts = {name: times[name] for name in kernels.COLUMNS}
    assert kernels.line("tsn", 10.0, parts) == "| tsn | 10 | 3 | 2 | 4 | 0 | 1 |"
