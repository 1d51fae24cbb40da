"""The counter that says which pass over the data comes next."""

import numbers
import threading


class EpochCounter:
    """Counts the passes over a dataset; every random draw of a pass depends on its number.

    Each iteration of the dataset takes the number and raises it by one. Setting `value` before an
    iteration starts repeats, or jumps to, a pass: a run that is resumed at epoch 7 with
    `epoch.value = 7` sees the data that an unbroken run sees in its epoch 7.

    Args:
        value: number of the first pass, from 0 on.
    """

    def __init__(self, value=0):
        self._lock = threading.Lock()
        self.value = value

    @property
    def value(self):
        """Number of the pass that begins next."""
        return self._value

    @value.setter
    def value(self, value):
        if not isinstance(value, numbers.Integral) or value < 0:
            raise ValueError(f"received epoch {value!r}, expected an integer from 0 on")
        with self._lock:
            self._value = int(value)

    def take(self):
        """The number of the pass that begins now; `value` is one more afterwards."""
        with self._lock:
            taken = self._value
            self._value += 1
        return taken

    def __repr__(self):
        return f"Epoch({self.value})"
