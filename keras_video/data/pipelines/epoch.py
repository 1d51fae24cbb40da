"""A counter of the passes over the data."""

import numbers
import threading


class EpochCounter:
    """Counts the passes over a dataset; all random draws of a pass depend on its number.

    Each iteration of the dataset takes the number and increments it. Setting `value` before an
    iteration starts repeats, or jumps to, a pass: a run resumed at epoch 7 with `epoch.value = 7`
    receives the data of epoch 7 of an uninterrupted run.

    Args:
        value: number of the first pass, at least 0.
    """

    def __init__(self, value=0):
        self._lock = threading.Lock()
        self.value = value

    @property
    def value(self):
        """Number of the next pass."""
        return self._value

    @value.setter
    def value(self, value):
        if not isinstance(value, numbers.Integral) or value < 0:
            raise ValueError(f"received epoch {value!r}, expected a non-negative integer")
        with self._lock:
            self._value = int(value)

    def take(self):
        """Returns the number of the pass that begins now, and increments `value`."""
        with self._lock:
            number = self._value
            self._value += 1
        return number

    def __repr__(self):
        return f"EpochCounter({self.value})"
