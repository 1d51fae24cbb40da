"""Class names of the published datasets."""

import difflib
import functools
from pathlib import Path

FOLDER = Path(__file__).parent / "label_maps"

ALIASES = {"activitynet_v1.3": "activitynet"}


@functools.cache
def label_map(dataset: str) -> tuple[str, ...]:
    """Class names of `dataset` in the order of their indices.

    Args:
        dataset: as in `Row.label_map` or `Row.dataset`, such as "kinetics400" or "hvu_action".

    Raises:
        ValueError: for a dataset without a list of class names; the message lists those that exist.
    """
    files = {path.stem: path for path in FOLDER.glob("*.txt")}
    path = files.get(ALIASES.get(dataset, dataset))
    if path is None:
        known = sorted(files)
        close = difflib.get_close_matches(str(dataset), known, n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(
            f"dataset={dataset!r} has no list of class names.{hint} Known: {', '.join(known)}."
        )
    return tuple(path.read_text(encoding="utf-8").splitlines())
