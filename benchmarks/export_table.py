"""Exports a small model of every family to every format, runs it, and tabulates the accuracy.

    python benchmarks/export_table.py --out applications/export.md

Weights are random; two clips of noise are run in Keras and in the exported file, whose batch size
is unknown (None). A family for which this is unsupported is tried with a batch of one.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # small settings are among the tests

from keras_video.inference import export_model, load_exported  # noqa: E402
from tests.applications import families  # noqa: E402

RUNTIMES = {"tf_saved_model": "SavedModel", "onnx": "ONNX", "litert": "LiteRT"}
TOLERANCE = 1e-4
HEAD = """\
# Exported models

Accuracy of the files that `keras_video.inference.export_model` writes, for a small model of every
family (residual networks with one or two blocks per stage): the largest difference between the
scores of Keras and of the exported file, over the largest score (or 1), for noise and random
weights. "batch of 1" means that the batch size is fixed, and names the operation that requires
this; elsewhere it is not fixed. LiteRT files use built-in operations only, no flex operations.
"""


def parser():
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    made.add_argument("--families", nargs="+", default=list(families.ALL))
    made.add_argument(
        "--out", type=Path, help="Markdown page; rows of other families are preserved"
    )
    return made


def difference(name, format, batch_size):
    """The largest difference of the scores, over the largest score or 1."""
    model, clips = families.shared(name), families.clips(name, batch_size or 2)
    with tempfile.TemporaryDirectory() as folder:
        ending = {"onnx": ".onnx", "litert": ".tflite"}.get(format, "")
        path = export_model(model, Path(folder, f"model{ending}"), format, batch_size=batch_size)
        found = load_exported(path)(clips)
    expected = keras.ops.convert_to_numpy(model(clips))
    return np.abs(found - expected).max() / max(1.0, np.abs(expected).max())


def cell(name, format):
    """The table cell for a family and a format, and whether the scores agree."""
    reasons = []
    for batch_size in (None, 1):
        try:
            worst = difference(name, format, batch_size)
        except Exception as error:  # an error of a converter or runtime is a result
            reasons.append(reason(error))
            continue
        if worst <= TOLERANCE:
            return f"{worst:.0e}{''.join(f', batch of 1 ({why})' for why in reasons)}", True
        reasons.append(f"differs by {worst:.0e}")
    return f"no: {reasons[-1]}", False


def reason(error):
    """The operations that a converter's message names, or the beginning of the message."""
    named = sorted(set(re.findall(r"'tf\.(\w+)' op|operator (\w+)", str(error))))
    if named:
        return ", ".join(a or b for a, b in named)
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:80]}"


def main():
    args = parser().parse_args()
    rows = earlier_rows(args.out)
    failed = 0
    for name in args.families:
        cells = [cell(name, format) for format in RUNTIMES]
        failed += sum(not equal for _, equal in cells)
        rows[name] = f"| {name} | {' | '.join(text for text, _ in cells)} |"
        families.shared.cache_clear()
        print(rows[name], flush=True)
    if args.out:
        # Read again: another run may have written in the meantime.
        rows = earlier_rows(args.out) | {name: rows[name] for name in args.families}
        args.out.write_text(page(rows), encoding="utf-8")
    sys.exit(bool(failed))


def earlier_rows(path):
    """The rows of an existing page, `{family: line}`."""
    lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
    return {line.split("|")[1].strip(): line for line in lines if line.count("|") == 5}


def page(rows):
    """The text of a page with these rows, in the order of the families."""
    head = [f"| family | {' | '.join(RUNTIMES.values())} |", "| --- | --- | --- | --- |"]
    body = [rows[name] for name in families.ALL if name in rows]
    made = (
        f"Made by `python benchmarks/export_table.py --out applications/export.md` ({versions()})."
    )
    return "\n".join([HEAD, *head, *body, "", made, ""])


def versions():
    """The versions of the packages that produced the table."""
    from importlib.metadata import version

    packages = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime")
    return ", ".join(f"{package} {version(package)}" for package in packages)


if __name__ == "__main__":
    main()
