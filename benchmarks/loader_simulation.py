"""Estimates the loader's clips per second on larger machines from measurements on one.

    python benchmarks/python_lock.py --json threads.json
    python benchmarks/python_lock.py --workers 1 --json workers.json
    python benchmarks/loader_simulation.py threads.json workers.json --cores 2 16 64

A queue with one server: every core works on its own clip and needs Python's lock for a part of it,
for which it waits while another core holds it (mean value analysis of a closed network). It assumes
that all cores together are as fast as the measured one, which shared caches and clock rates do not
guarantee; that the lock is requested at random times; that memory and disk are never a bottleneck;
and that training takes no core. So the figures are upper bounds, and their ratios more reliable.
"""

import argparse
import json
from pathlib import Path


def throughput(cores, seconds, lock):
    """Clips per second.

    Args:
        cores: number of cores; each works on a clip.
        seconds: core time of a clip, including the time for which it holds the lock.
        lock: seconds for which a clip holds the lock.
    """
    waiting = rate = 0.0
    for number in range(1, cores + 1):
        response = lock * (1 + waiting)
        rate = number / (seconds - lock + response)
        waiting = rate * response
    return rate


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("threads", help="JSON of python_lock.py, with threads")
    parser.add_argument("workers", help="JSON of python_lock.py --workers 1")
    parser.add_argument("--cores", nargs="+", type=int, default=(2, 16, 64))
    return parser


def table(threads, workers, cores):
    """Lines of a Markdown table: each case, loaded by threads and by workers."""
    head = [f"{count} cores" for count in cores]
    lines = [f"| case | ms a clip | ms of the lock | {' | '.join(head)} |"]
    lines.append("| --- |" + " ---: |" * (2 + len(cores)))
    for case in threads:
        seconds = threads[case]["alone"]
        for form, measurements in (("threads", threads), ("workers", workers)):
            if case not in measurements:
                continue
            lock = min(measurements[case]["lock"], seconds)
            rates = [f"{throughput(count, seconds, lock):.0f}" for count in cores]
            figures = f"{1e3 * seconds:.1f} | {1e3 * lock:.2f}"
            lines.append(f"| {case}, {form} | {figures} | {' | '.join(rates)} |")
    return "\n".join(lines)


def main():
    args = build_parser().parse_args()
    threads, workers = (
        json.loads(Path(path).read_text(encoding="utf-8")) for path in (args.threads, args.workers)
    )
    print(table(threads, workers, args.cores))


if __name__ == "__main__":
    main()
