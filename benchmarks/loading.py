"""Compares the loaders with MMAction2's pipelines on the same clips: clips per second.

    python benchmarks/loading.py --peer_python peer/bin/python \
        --clips FOLDER --list FOLDER/train.txt

Sides: keras_video's tf.data loader, MMAction2 0.24.1's pipeline (decord, OpenCV, librosa) in a
PyTorch DataLoader, and a bare decode of the same packets, which no loader can beat. Both loaders
output the same kind of clips (MMAction2's channels first, ours last), load the same number at a
time, and are pinned to the same number of cores. Raw frames and wav files are first created from
the clips. Without --clips, clips are generated (ten seconds of 320 x 320 pixels, without audio).
"""

import argparse
import sys
import tempfile
from pathlib import Path

import harness
import loading_files
import loading_worker
import report
from models import HERE, OUR_SIDE, PEER_SIDE, add_harness_flags
from process import Worker, WorkerError, run_workers

# How often the clips of the list are loaded in a repetition. An epoch has thousands of clips, so a
# repetition is long enough for its first batches to carry little weight on either side.
TIMES = {"sparse": 8, "dense": 8, "views": 4, "frames": 32, "audio": 64}
VIDEOS_PER_BATCH = {"sparse": 4, "dense": 4, "views": 1, "frames": 4, "audio": 8}
# 30 views of a video take long: a repetition loads a quarter of the clips.
CLIP_DIVISORS = {"views": 4}
# The size and length at which action recognition datasets usually store clips.
GENERATED = {"videos_per_class": 6, "val_videos_per_class": 1, "frames": 250, "size": 320}


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add_clip_flags(parser)
    parser.add_argument(
        "--cases", nargs="+", choices=loading_worker.CASES, default=loading_worker.CASES
    )
    parser.add_argument(
        "--calls",
        nargs="+",
        type=int,
        default=(1, 2),
        help="clips loaded at a time, and number of cores",
    )
    parser.add_argument(
        "--plain",
        nargs="+",
        default=(),
        choices=("decord", "torchcodec"),
        help="also a DataLoader without a framework, for sparse and dense",
    )
    add_harness_flags(parser)
    return parser


def add_clip_flags(parser):
    """Adds the flags that `select_clips` takes."""
    parser.add_argument("--clips", help="folder that the list's paths are relative to")
    parser.add_argument("--list", help="annotation list: path and label per line")
    parser.add_argument("--limit", type=int, default=24, help="different clips per repetition")


def select_clips(args):
    """The first records of the list, or of the generated dataset's training list."""
    from keras_video.data.annotations.parsing import read_annotations
    from keras_video.data.embedded.moving_shapes import make_moving_shapes

    if bool(args.clips) != bool(args.list):
        raise SystemExit("--clips and --list belong together: give both or neither")
    if args.clips:
        return read_annotations(args.list, root=args.clips)[: args.limit]
    folder = Path(tempfile.gettempdir(), "keras_video_benchmark_clips")
    shapes = make_moving_shapes(folder, **GENERATED)
    return read_annotations(shapes.train_list, root=shapes.root)[: args.limit]


def workers(args, case, calls, file):
    """Starts the sides, one after the other; ours comes first."""
    flags = ["--case", case, "--calls", str(calls), "--list", str(file)]
    flags += ["--batch_size", str(VIDEOS_PER_BATCH[case])]
    ours = [sys.executable, HERE / "keras_loading.py", *flags]
    yield Worker("keras_video", ours, cores=calls, environment=OUR_SIDE)
    peer = [args.peer_python, HERE / "peer_loading.py", *flags]
    yield Worker("MMAction2", peer, cores=calls, environment=PEER_SIDE)
    yield Worker("bare decode", [*ours, "--bare"], cores=calls, environment=OUR_SIDE)
    for decoder in args.plain if case in ("sparse", "dense") else ():
        plain = [args.peer_python, HERE / "peer_plain_loading.py", *flags, "--decoder", decoder]
        yield Worker(f"{decoder}, DataLoader", plain, cores=calls, environment=PEER_SIDE)


def check_same_work(ours, peer):
    """Checks that both loaders output the same number of clips, of the same size.

    Raises:
        WorkerError: they differ.
    """
    sizes = [sorted(n for n in side.facts["shape"] if n != 1) for side in (ours, peer)]
    if sizes[0] != sizes[1] or ours.facts["loaded"] != peer.facts["loaded"]:
        raise WorkerError(
            f"expected the same output of both loaders, received {ours.facts} and {peer.facts}"
        )


def measure_case(args, case, calls, records):
    """Runs and prints one case on some records; returns its comparison."""
    with tempfile.TemporaryDirectory() as folder:
        file = loading_files.write_list(case, records, folder, TIMES[case])
        result = compare_loaders(args, case, calls, file)
    print(report.table(result, per_second=(len(records) * TIMES[case], "clips")))
    print(f"keras_video reaches {result.ratio(2).median:.0%} of the bare decode", flush=True)
    return result


def compare_loaders(args, case, calls, file):
    """Runs one case on the clips of a list file; returns its comparison."""
    with run_workers(workers(args, case, calls, file)) as sides:
        for side in sides:
            print(f"{side.name}: {', '.join(f'{k} {v}' for k, v in side.facts.items())}")
        check_same_work(*sides[:2])
        return harness.compare(
            sides, rounds=args.rounds, seconds=args.seconds, busy_limit=args.busy_limit
        )


def main():
    args = build_parser().parse_args()
    records = select_clips(args)
    results = {}
    for case in args.cases:
        subset = records[: max(1, len(records) // CLIP_DIVISORS.get(case, 1))]
        for calls in args.calls:
            name = f"{case}, {calls} at a time"
            print(f"\n{name}, {len(subset)} clips; {report.machine()}", flush=True)
            results[name] = measure_case(args, case, calls, subset)
    if args.json:
        report.write_json(args.json, results)


if __name__ == "__main__":
    try:
        main()
    except WorkerError as failure:
        sys.exit(str(failure))
