"""Converts published weights into a mirror, a folder of .keras files and hashes.

    keras-video convert --all --to mirror

    keras-video convert --family x3d,movinet --to mirror

    KERAS_VIDEO_MIRROR=mirror keras-video predict --row x3d_m_16x5x1_kinetics400_pytorchvideo ...

The checkpoint of each row is downloaded, verified and saved as a model. Set KERAS_VIDEO_MIRROR to
the folder, or to an HTTP URL that serves it: weights are then loaded only from there. Rows that are
already in the folder are skipped, so an interrupted conversion can be resumed. A row that cannot be
downloaded or converted does not stop the others; the exit status is then 1.
"""

import time
from pathlib import Path

from keras_video import zoo
from keras_video.applications.converting import convert_row, is_converted
from keras_video.weights.mirror import read_index

INTERRUPTED = "Interrupted: finished rows are kept; repeat the command to resume."


def define(flags):
    flags.group("Rows")
    flags.switch("all", False, "every row with published weights")
    flags.string("family", None, "families, separated by commas, such as x3d,movinet")
    flags.string("row", None, "names or ids of rows, separated by commas")
    flags.group("Output")
    flags.string("to", None, "folder of the mirror", required=True)
    flags.switch("resume", True, "skip rows that are already in the folder")


def run(options, _):
    selected = chosen_rows(options)
    folder = Path(options.to)
    folder.mkdir(parents=True, exist_ok=True)
    entries = read_index(folder) if options.resume else {}
    failed, skipped = [], 0
    for number, row in enumerate(selected, 1):
        line = f"[{number}/{len(selected)}] {row.id}"
        if is_converted(row, entries, folder):
            skipped += 1
            print(f"{line}: already there", flush=True)
            continue
        print(line, end=": ", flush=True)
        start = time.monotonic()
        try:
            entry = convert_row(row, folder)
        except Exception as error:  # noqa: BLE001 - a failed row must not stop the others
            failed.append((row, " ".join(str(error).split()) or type(error).__name__))
            print(f"failed: {failed[-1][1]}", flush=True)
            continue
        size = (folder / entry.file).stat().st_size / 1e6
        print(f"{entry.file}, {size:.0f} MB, {time.monotonic() - start:.0f} s", flush=True)
    converted = len(selected) - len(failed) - skipped
    print(f"{converted} converted, {skipped} already there, {len(failed)} failed; in {folder}")
    if not failed:
        return 0
    lines = [f"  {row.id}: {reason}" for row, reason in failed]
    return "\n".join(["Not converted:", *lines])


def chosen_rows(options):
    """The rows that the options select, without those that have no published weights.

    Raises:
        ValueError: if the options select none, or name a row without published weights.
    """
    if bool(options.all) + bool(options.family) + bool(options.row) != 1:
        raise ValueError(
            f"--all={options.all} --family={options.family} --row={options.row}: "
            "expected exactly one."
        )
    if options.row:
        rows = [zoo.row(name) for name in options.row.split(",")]
        for row in rows:
            if row.checkpoint is None:
                raise ValueError(f"--row={row.name}: the row has no published weights.")
        return rows
    families = options.family.split(",") if options.family else [None]
    rows = [row for family in families for row in zoo.rows(family, kind="model")]
    return [row for row in rows if row.checkpoint is not None]
