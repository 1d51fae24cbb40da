"""Compares sides in one run: interleaved measurements, medians, ratios and their spread.

A side is a callable of this process (`InProcess`) or a worker process (`Worker`, which speaks
the protocol of worker.py). In every round each side measures once, in turn, while the others
wait; so drift of the machine affects all sides alike, and a ratio is taken within a round.
Rounds in which other processes used the CPU are measured again.
"""

import dataclasses
import math
import statistics
import time

import idle
import worker


@dataclasses.dataclass(frozen=True)
class Sample:
    """One measurement of one side.

    Attributes:
        seconds: median over the repetitions.
        cpu_seconds: CPU seconds that a repetition took on all cores together.
        foreign: cores kept busy by anything but the side, or None when unknown.
        fastest: seconds of the fastest repetition.
    """

    seconds: float
    cpu_seconds: float
    foreign: float | None
    fastest: float


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median and quartiles of some numbers."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers):
        numbers = list(numbers)
        if len(numbers) == 1:
            return cls(numbers[0], numbers[0], numbers[0])
        low, _, high = statistics.quantiles(numbers, n=4, method="inclusive")
        return cls(statistics.median(numbers), low, high)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The measurements, in rounds.

    Attributes:
        names: the sides; the first is ours.
        rounds: per round, one `Sample` per side.
        busy_limit: foreign cores above which a round counts as disturbed.
    """

    names: tuple[str, ...]
    rounds: tuple[tuple[Sample, ...], ...]
    busy_limit: float

    @property
    def quiet(self):
        """The rounds that no other process disturbed."""
        return tuple(samples for samples in self.rounds if not _disturbed(samples, self.busy_limit))

    @property
    def counted(self):
        """The rounds that the figures are based on: the quiet ones, or all if none is quiet."""
        return self.quiet or self.rounds

    def seconds(self, side):
        """`Spread` of a side's seconds."""
        return Spread.of(samples[side].seconds for samples in self.counted)

    def cpu_seconds(self, side):
        """`Spread` of the CPU seconds that a repetition of a side takes."""
        return Spread.of(samples[side].cpu_seconds for samples in self.counted)

    def fastest(self, side):
        """Seconds of the fastest repetition of a side.

        On a machine with faster and slower minutes, it is more reliable than the median.
        """
        return min(samples[side].fastest for samples in self.counted)

    def ratio(self, side, over=0):
        """`Spread` of a side's seconds over ours (or over another's), per round.

        Above 1, ours is faster.
        """
        return Spread.of(samples[side].seconds / samples[over].seconds for samples in self.counted)


class InProcess:
    """A callable of this process as a side."""

    def __init__(self, name, run):
        self.name = name
        self._run = run

    def measure(self, repeats):
        """Seconds of each repetition."""
        return worker.time_calls(self._run, repeats)

    def cpu_seconds(self):
        """CPU seconds this process has used."""
        return time.process_time()


def compare(sides, *, rounds=10, seconds=2.0, busy_limit=0.1, pause=0.3):
    """Measures the sides in turn, round after round.

    Args:
        sides: `InProcess` or `Worker` objects; the first is ours.
        rounds: number of undisturbed rounds; up to twice as many are measured to reach it.
        seconds: how long one measurement should take; sets the repetitions of each side.
        busy_limit: cores that other processes may keep busy before a round counts as disturbed.
        pause: seconds to wait before each measurement, so that the threads of the
            previous side stop spinning.

    Returns:
        A `Comparison`.
    """
    repeats = [_repeats(side, seconds) for side in sides]
    measurements = []
    quiet = 0
    while quiet < rounds and len(measurements) < 2 * rounds:
        samples = []
        for side, count in zip(sides, repeats, strict=True):
            time.sleep(pause)
            samples.append(_sample(side, count))
        measurements.append(tuple(samples))
        quiet += not _disturbed(samples, busy_limit)
    return Comparison(tuple(side.name for side in sides), tuple(measurements), busy_limit)


def _repeats(side, seconds):
    """Number of repetitions that fill `seconds`, estimated from one that is discarded."""
    return max(1, math.ceil(seconds / max(side.measure(1)[0], 1e-9)))


def _sample(side, repeats):
    machine, own, start = idle.machine_cpu_seconds(), side.cpu_seconds(), time.perf_counter()
    seconds = side.measure(repeats)
    wall = time.perf_counter() - start
    own = side.cpu_seconds() - own
    machine = None if machine is None else idle.machine_cpu_seconds() - machine
    foreign = idle.foreign_cores(machine, own, wall)
    return Sample(statistics.median(seconds), own / repeats, foreign, min(seconds))


def _disturbed(samples, busy_limit):
    return any(sample.foreign is not None and sample.foreign > busy_limit for sample in samples)
