"""Progress of long-running work: a bar in interactive sessions, otherwise one line at the end."""

import sys


def is_watched():
    """Whether standard output is a terminal or a notebook, not a file or a pipe."""
    terminal = sys.stdout is not None and hasattr(sys.stdout, "isatty") and sys.stdout.isatty()
    return terminal or "ipykernel" in sys.modules


def progress_bar(target, unit_name, verbose=1):
    """A `keras.utils.Progbar` that writes no control characters to files.

    Args:
        target: number of units; `None` if unknown.
        unit_name: such as "video".
        verbose: 0 shows nothing.
    """
    import keras

    return keras.utils.Progbar(
        target, unit_name=unit_name, verbose=(1 if is_watched() else 2) if verbose else 0
    )
