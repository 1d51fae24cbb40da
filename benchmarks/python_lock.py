"""How long the loader holds Python's lock (GIL) per clip, which limits a process on any machine.

    python benchmarks/python_lock.py --cases sparse dense views

A thread that only counts runs beside the loader. While it neither computes nor waits for a core,
which Linux reports for every thread, it waits for the lock: this is the lock time. With
`--workers` the clips are loaded in processes, see `video_dataset`. The machine has to be idle: a
thread that loses its core keeps the lock. The startup time of a pass is spread over its clips, so a
pass should have several hundred. The clips are those of loading.py.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import loading  # noqa: E402
import loading_files  # noqa: E402
import loading_worker  # noqa: E402

# Threads request the lock at this interval, so that neither waits long for the other: at Python's
# default of 5 ms a clip takes ten times as long, and the loss at every switch counts as lock time.
SWITCH_SECONDS = 1e-4


class Counter:
    """A thread that counts as fast as it can."""

    def __init__(self):
        self._stop = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        count = 0
        while not self._stop:
            count += 1

    def busy_seconds(self):
        """Seconds for which it has computed or waited for a core."""
        stat = Path(f"/proc/self/task/{self._thread.native_id}/schedstat").read_text()
        return sum(map(int, stat.split()[:2])) / 1e9

    def stop(self):
        """Ends the thread."""
        self._stop = True
        self._thread.join()


def measure_lock(dataset, clips):
    """Seconds per clip: wall time and lock time beside the thread, and wall time without it.

    Args:
        dataset: is iterated over twice.
        clips: number of clips in it.
    """
    start = time.perf_counter()
    for _ in dataset:
        pass
    alone = (time.perf_counter() - start) / clips
    interval = sys.getswitchinterval()
    counter = Counter()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        before, start = counter.busy_seconds(), time.perf_counter()
        for _ in dataset:
            pass
        seconds = time.perf_counter() - start
        lock = max(0.0, seconds - (counter.busy_seconds() - before))
    finally:
        counter.stop()
        sys.setswitchinterval(interval)
    return {"seconds": seconds / clips, "lock": lock / clips, "alone": alone}


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    loading.add_clip_flags(parser)
    videos = ("sparse", "dense", "views", "frames")
    parser.add_argument("--cases", nargs="+", choices=videos, default=videos[:3])
    parser.add_argument("--times", type=int, default=12, help="how often each clip is read")
    parser.add_argument("--workers", type=int, default=0, help="number of processes that load")
    parser.add_argument("--json", help="file to write the figures to")
    return parser


def main():
    args = build_parser().parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras_loading

    records = loading.select_clips(args)
    figures = {}
    print("case     ms a clip      ms of Python's lock   ms alone   clips/s at most")
    for case in args.cases:
        subset = records[: max(1, len(records) // loading.CLIP_DIVISORS.get(case, 1))]
        with tempfile.TemporaryDirectory() as folder:
            file = loading_files.write_list(case, subset, folder, args.times)
            clips = len(loading_worker.entries(file))
            dataset = keras_loading.CASES[case].dataset(
                file,
                batch_size=loading.VIDEOS_PER_BATCH[case],
                num_parallel_calls=1,
                workers=args.workers,
            )
            for _ in dataset.take(2):  # opens files and traces functions
                pass
            figure = figures[case] = measure_lock(dataset, clips)
        print(
            f"{case:8} {1e3 * figure['seconds']:9.2f} {1e3 * figure['lock']:24.2f} "
            f"{1e3 * figure['alone']:10.2f} {1 / max(figure['lock'], 1e-6):17.0f}",
            flush=True,
        )
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
