"""Where the time of loading a clip on one core goes: reading, then transform by transform.

    python benchmarks/loading_profile.py --cases sparse dense

Each case of loading.py is loaded without its transforms, with the first, with the first two, and
with all, in turn; the differences are their times. The clips are those of loading.py. Bare decoding
is that of keras_loading.py: the packets needed for the requested frames.
"""

import argparse
import dataclasses
import itertools
import os
import statistics
import tempfile
import time

import loading
import loading_files
import loading_worker


def stages(case, file):
    """Yields `(name, function that loads all clips)`: bare decoding, reading, with transforms."""
    import keras_loading

    whole = keras_loading.CASES[case]
    flags = ["--case", case, "--list", str(file), "--calls", "1", "--batch_size", "1", "--bare"]
    args = loading_worker.build_parser().parse_args(flags)
    yield "bare decoding", keras_loading.bare_decoding(args)[0]
    steps = [type(step).__name__ for step in whole.transforms]
    parts = {"reading": 0, steps[0]: 1, steps[1]: 2, ", ".join(steps[2:]): len(steps)}
    for name, count in parts.items():
        part = dataclasses.replace(whole, transforms=whole.transforms[:count])
        dataset = part.dataset(file, batch_size=1, num_parallel_calls=1)
        yield name, lambda dataset=dataset: [None for _ in dataset]


def measure_stages(runs, clips, rounds):
    """Milliseconds per clip by stage: medians over rounds in which all take turns."""
    times = {name: [] for name in runs}
    for run in runs.values():
        run()  # opens files and traces functions
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start) / clips)
    return {name: statistics.median(samples) for name, samples in times.items()}


def table(milliseconds):
    """Lines: the time that each stage adds to the previous one, and its fraction of the total."""
    bare, *others = milliseconds.items()
    whole = others[-1][1]
    steps = [bare, ("other reading", others[0][1] - bare[1])]
    pairs = itertools.pairwise(others)
    steps += [(name, after - before) for (_, before), (name, after) in pairs]
    lines = [f"{name:20} {value:8.2f} ms {100 * value / whole:6.1f} %" for name, value in steps]
    return "\n".join([*lines, f"{'a clip':20} {whole:8.2f} ms"])


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    loading.add_clip_flags(parser)
    parser.add_argument(
        "--cases", nargs="+", choices=("sparse", "dense"), default=("sparse", "dense")
    )
    parser.add_argument("--times", type=int, default=2, help="reads of each clip in a round")
    parser.add_argument("--rounds", type=int, default=5)
    return parser


def main():
    args = build_parser().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    records = loading.select_clips(args)
    for case in args.cases:
        with tempfile.TemporaryDirectory() as folder:
            file = loading_files.write_list(case, records, folder, args.times)
            clips = len(loading_worker.entries(file))
            runs = dict(stages(case, file))
            print(f"\n{case}\n{table(measure_stages(runs, clips, args.rounds))}", flush=True)


if __name__ == "__main__":
    main()
