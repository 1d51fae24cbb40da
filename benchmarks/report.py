"""Formats a comparison as a table, and writes it as JSON."""

import json
import os
import platform
from pathlib import Path


def table(comparison, *, per_second=None, milliseconds=False):
    """The comparison as lines of text, one side per line, with a warning if it was disturbed.

    Args:
        comparison: a `harness.Comparison`; its first side is ours.
        per_second: None prints seconds per repetition; `(count, unit)` prints units per second,
            for repetitions of `count` units. CPU seconds, summed over the cores, are per
            repetition in both cases.
        milliseconds: whether times per repetition are in milliseconds; not with `per_second`.

    Returns:
        A string.
    """
    plain, scale = ("ms", 1000) if milliseconds else ("seconds", 1)
    unit = f"{per_second[1]}/s" if per_second else plain
    width = max(len(name) for name in comparison.names)
    head = f"{unit:>10}  {'quartiles':^19}  {f'CPU {plain}':>11}"
    lines = [f"{'':{width}}  {head}  ours is faster by (quartiles)"]
    for side, name in enumerate(comparison.names):
        numbers = _numbers(comparison.seconds(side), per_second, scale)
        cpu = f"{scale * comparison.cpu_seconds(side).median:11.3f}"
        lines.append(f"{name:{width}}  {numbers}  {cpu}  {_ratio(comparison, side)}".rstrip())
    lines.append(_rounds(comparison))
    return "\n".join(lines)


def _numbers(spread, per_second, scale=1):
    values = spread.median, spread.low, spread.high
    if per_second:
        median, high, low = (per_second[0] / value for value in values)
        return f"{median:10.2f}  {low:8.2f} - {high:8.2f}"
    return "{:10.4f}  {:8.4f} - {:8.4f}".format(*(scale * value for value in values))


def _ratio(comparison, side):
    if side == 0:
        return ""
    ratio = comparison.ratio(side)
    return f"{ratio.median:5.2f} ({ratio.low:.2f} - {ratio.high:.2f})"


def _rounds(comparison):
    total, quiet = len(comparison.rounds), len(comparison.quiet)
    if all(sample.foreign is None for samples in comparison.rounds for sample in samples):
        return f"{total} rounds; unknown whether other processes disturbed them"
    if quiet == total:
        return f"{total} rounds, all undisturbed"
    used = f"the figures are of the other {quiet}" if quiet else "the figures are NOT to be trusted"
    return (
        f"WARNING: other processes kept more than {comparison.busy_limit:g} cores busy in "
        f"{total - quiet} of {total} rounds; {used}. PyTorch's threads collapse when another "
        "process holds a core: repeat on an idle machine."
    )


def machine():
    """One line about the machine and its load."""
    load = "/".join(f"{average:.2f}" for average in os.getloadavg())
    return f"{processor()}, {os.cpu_count()} cores, load average {load}"


def processor(file="/proc/cpuinfo"):
    """The processor's name, and those of its instruction sets that speed up layers most."""
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    flags = facts.get("flags", "").split()
    extensions = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return " ".join([facts.get("model name", platform.machine()), *extensions])


def write_json(path, results):
    """Writes comparisons, by case, to a file.

    Args:
        path: the file.
        results: dict of case name to `harness.Comparison`.
    """
    Path(path).write_text(json.dumps({k: _facts(v) for k, v in results.items()}, indent=1) + "\n")


def _facts(comparison):
    return {
        "rounds": len(comparison.rounds),
        "undisturbed": len(comparison.quiet),
        "sides": {
            name: {
                "seconds": vars(comparison.seconds(side)),
                "cpu_seconds": vars(comparison.cpu_seconds(side)),
                "over_ours": vars(comparison.ratio(side)),
                "samples": [vars(samples[side]) for samples in comparison.rounds],
            }
            for side, name in enumerate(comparison.names)
        },
    }
