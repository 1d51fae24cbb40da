"""How busy the machine is apart from the measured side, read from Linux's /proc."""

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# The kernel counts in ticks, and reading the counters takes a few of them.
UNCERTAINTY = 3 / TICKS_PER_SECOND


def machine_cpu_seconds():
    """Seconds all cores together have been busy (stolen time included), or None without /proc."""
    try:
        counters = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return None
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, counters[:8])
    return (user + nice + system + interrupts + soft + stolen) / TICKS_PER_SECOND


def session_cpu_seconds(session):
    """CPU seconds used so far by every process of a session, including its ended children."""
    ticks = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _process_fields(folder)
            if fields and int(fields[3]) == session:
                ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS_PER_SECOND


def _process_fields(folder):
    """The fields of /proc/<pid>/stat after the process name, which may contain spaces."""
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def foreign_cores(machine, own, wall):
    """Number of cores that other processes kept busy.

    Args:
        machine: CPU seconds of the whole machine in the interval, or None when unknown.
        own: CPU seconds of the measured side in the interval.
        wall: length of the interval in seconds.

    Returns:
        A float >= 0, or None when the machine's use is unknown.
    """
    if machine is None:
        return None
    return max(0.0, machine - own - UNCERTAINTY) / wall
