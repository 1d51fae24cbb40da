"""Estimates time and cost of training on Kinetics-400 from measured rates; writes a page.

    python benchmarks/training_cost.py --out guides/training_cost.md --price 3 --cores_per_gpu 16

GPU rates are those of the table in benchmarks/README.md. The core time of the loader, and the time
for which it holds Python's lock, are measured here for each row's own training clips, from
`--clips` and `--list` or from generated clips, unless `--loader` is the JSON of an earlier run.
"""

import argparse
import json
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from loader_simulation import throughput  # noqa: E402

from keras_video.data.pipelines.load_workers import worker_count  # noqa: E402

HERE = Path(__file__).parent
# A row of the zoo, and the name of its network in the table of GPU rates.
NETWORKS = {
    "slowfast_r50_4x16x1_256e_kinetics400_rgb": "SlowFast-R50 4x16",
    "slowonly_r50_4x16x1_256e_kinetics400_rgb": "SlowOnly-R50 4x16",
    "tsm_r50_1x1x8_50e_kinetics400_rgb": "TSM-R50",
    "timesformer_divST_8x32x1_15e_kinetics400_rgb": "TimeSformer",
}
GPUS = (1, 8, 64)
GPUS_OF_A_MACHINE = 8


@dataclass(frozen=True)
class Machine:
    """Assumptions about machines.

    Attributes:
        price: of a GPU per hour, everything else included.
        cores_per_gpu: CPU cores of the machine per GPU.
        scaling: fraction of its rate that a GPU keeps when several train together.
        core_speed: speed of a core relative to the measured one.
    """

    price: float
    cores_per_gpu: int
    scaling: float
    core_speed: float


def gpu_rates(text):
    """`{network: clips per second}` of training with Keras on JAX, from the table of GPU rates."""
    matches = re.findall(r"^\| ([^|,]+), training \| (\d+) \(", text, re.MULTILINE)
    return {network: float(rate) for network, rate in matches}


def plan_training(rate, loader, epochs, videos, gpus, machine):
    """`{"hours", "cost", "clips", "bottleneck"}` of a training run.

    Args:
        rate: clips per second of one GPU.
        loader: `{"seconds", "lock", "workers"}` per clip: core time, time of Python's lock if the
            training process loads it, and if worker processes do.
        epochs, videos: number of epochs, and clips per epoch.
        gpus: number of GPUs.
        machine: the `Machine`.
    """
    computing = rate * gpus * (machine.scaling if gpus > 1 else 1.0)
    machines = -(-gpus // GPUS_OF_A_MACHINE)
    cores = min(gpus, GPUS_OF_A_MACHINE) * machine.cores_per_gpu
    processes = worker_count(None, cores, videos)
    lock_key = "workers" if processes else "lock"
    seconds, lock = (loader[key] / machine.core_speed for key in ("seconds", lock_key))
    loaders = processes or cores
    loading = machines * throughput(loaders, seconds, lock)
    clips = min(computing, loading)
    hours = epochs * videos / clips / 3600
    return {
        "hours": hours,
        "cost": hours * gpus * machine.price,
        "clips": clips,
        "bottleneck": "GPU" if computing <= loading else loader_bottleneck(loaders, seconds, lock),
    }


def loader_bottleneck(cores, seconds, lock):
    """The bottleneck of a loader: the cores, or Python's lock."""
    return "the loader's cores" if cores / seconds < 1 / max(lock, 1e-9) else "Python's lock"


def measure_loading(row, records, times):
    """The loading cost of a training clip of a row, as `plan_training` takes it."""
    threads, workers = (measure_clip(row, records, times, count) for count in (0, 1))
    return {"seconds": threads["seconds"], "lock": threads["lock"], "workers": workers["lock"]}


def measure_clip(row, records, times, workers):
    """`{"seconds", "lock"}` per clip: core time of this process, and time of its lock."""
    import python_lock

    from keras_video import data, zoo

    dataset = data.row_dataset(
        zoo.row(row), records * times, "train", batch_size=4, num_parallel_calls=1, workers=workers
    )
    for _ in dataset.take(2):  # opens files and traces functions
        pass
    start = time.process_time()
    clips = sum(len(labels) for _, labels in dataset)
    seconds = (time.process_time() - start) / clips
    return {"seconds": seconds, "lock": python_lock.measure_lock(dataset, clips)["lock"]}


def stored_or_measured(args):
    """The loading cost of every row, from the file `--loader` if there is one.

    Raises:
        SystemExit: the file is of other clips than those of the command line.
    """
    settings = {name: getattr(args, name) for name in ("clips", "list", "limit", "times")}
    if args.loader and args.loader.exists():
        stored = json.loads(args.loader.read_text(encoding="utf-8"))
        if stored["settings"] != settings:
            sys.exit(
                f"--loader: {args.loader} was measured with {stored['settings']}, received "
                f"{settings}: expected the same settings, or a new file"
            )
        return stored["loaders"]
    from loading import select_clips

    records = list(select_clips(args))
    loaders = {row: measure_loading(row, records, args.times) for row in NETWORKS}
    if args.loader:
        text = json.dumps({"settings": settings, "loaders": loaders}, indent=1)
        args.loader.write_text(text + "\n", encoding="utf-8")
    return loaders


HEAD = """\
# What training costs

Estimated time and cost of training each row on Kinetics-400 with its own schedule. The rate of a
GPU and the loading time of a clip are measured, everything else is assumed.

"""
COLUMNS = "| network | epochs | {gpus} | clips/s | hours | cost | bottleneck |"


def page(loaders, rates, rows, args, machine):
    """The page's text.

    Args:
        loaders: results of `measure_loading`, by row.
        rates: `{network: clips per second}`.
        rows: `{row: epochs}`.
        args: the command line.
        machine: the `Machine`.
    """
    lines = [COLUMNS.format(gpus="GPUs"), "| --- |" + " ---: |" * 5 + " --- |"]
    for row, network in NETWORKS.items():
        for gpus in GPUS:
            rate, loader = rates[network], loaders[row]
            plan = plan_training(rate, loader, rows[row], args.videos, gpus, machine)
            lines.append(
                f"| {network} | {rows[row]} | {gpus} | {plan['clips']:.0f} | {plan['hours']:.1f} "
                f"| {plan['cost']:.0f} | {plan['bottleneck']} |"
            )
    lines += ["", "Measured inputs:", ""]
    head = "core ms per clip | ms of Python's lock, threads | ms of the lock, workers"
    lines.append(f"| network | clips/s per GPU | {head} |")
    lines.append("| --- | ---: | ---: | ---: | ---: |")
    for row, network in NETWORKS.items():
        loader = loaders[row]
        figures = " | ".join(f"{1e3 * loader[key]:.2f}" for key in ("seconds", "lock", "workers"))
        lines.append(f"| {network} | {rates[network]:.0f} | {figures} |")
    return HEAD + "\n".join([*lines, "", *assumptions(args, machine), ""])


def assumptions(args, machine):
    """Lines that state the assumptions behind the figures."""
    return [
        f"* Clips per epoch: {args.videos:,}, the training videos of Kinetics-400.",
        f"* A GPU costs {machine.price:g} per hour, everything included (`--price`), in any "
        "currency.",
        f"* Machines have {GPUS_OF_A_MACHINE} GPUs and {machine.cores_per_gpu} cores per GPU "
        f"(`--cores_per_gpu`), {machine.core_speed:g} times as fast as the measured one.",
        f"* A GPU keeps {machine.scaling:.0%} of its rate when several train together "
        "(`--scaling`); this was not measured.",
        "* GPU rates are those of the table in benchmarks/README.md (Keras on JAX, bfloat16, "
        "one NVIDIA H200); their batch sizes differ from those of the rows.",
        "* One process per machine loads clips, with the default number of `workers`; its clips "
        "per second are estimated by benchmarks/loader_simulation.py.",
        "* The loader's cores decode and transform. Lock times were measured on a few shared "
        "cores, which overestimates them: a preempted thread keeps the lock.",
        "* Evaluation, saving and startup are not included; disks are assumed not to be a "
        "bottleneck.",
        "",
        "Generated by `python benchmarks/training_cost.py`.",
    ]


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", type=Path, help="Markdown page to write")
    parser.add_argument("--price", type=float, default=3.0, help="price of a GPU per hour")
    parser.add_argument("--cores_per_gpu", type=int, default=16)
    parser.add_argument(
        "--core_speed", type=float, default=1.0, help="relative to the measured one"
    )
    parser.add_argument(
        "--scaling", type=float, default=0.95, help="fraction of the rate kept on several GPUs"
    )
    parser.add_argument("--videos", type=int, default=240_000, help="clips per epoch")
    parser.add_argument("--loader", type=Path, help="JSON of loader figures; created if missing")
    parser.add_argument("--clips", help="folder that the list's paths are relative to")
    parser.add_argument("--list", help="annotation list: path and label per line")
    parser.add_argument("--limit", type=int, default=16, help="number of different clips")
    parser.add_argument("--times", type=int, default=12, help="how often each clip is read")
    return parser


def main():
    args = build_parser().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from keras_video import zoo

    rows = {row: zoo.row(row).epochs for row in NETWORKS}
    rates = gpu_rates((HERE / "README.md").read_text(encoding="utf-8"))
    loaders = stored_or_measured(args)
    machine = Machine(args.price, args.cores_per_gpu, args.scaling, args.core_speed)
    text = page(loaders, rates, rows, args, machine)
    print(text)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
