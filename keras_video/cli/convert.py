"""Converts published weights into a mirror: a folder of .keras files with their hashes.

    keras-video convert --all --to mirror

    keras-video convert --family x3d,movinet --to mirror

    KERAS_VIDEO_MIRROR=mirror keras-video predict --row x3d_m_16x5x1_kinetics400_pytorchvideo ...

Every row's checkpoint is fetched, checked and written as a model. The folder, or an HTTP address
that it is served under, is what KERAS_VIDEO_MIRROR takes: weights then come from there alone. Rows
that are there already are passed over, so that a conversion that was interrupted goes on. A row
that cannot be fetched or converted does not stop the others; the exit status is 1 then.
"""

import time
from pathlib import Path

from keras_video import zoo
from keras_video.applications.converting import convert_row, is_converted
from keras_video.weights.mirror import read_index

INTERRUPTED = "Interrupted: what is finished is kept; the same command goes on."


def define(flags):
    flags.group("Rows")
    flags.switch("all", False, "every row with published weights")
    flags.string("family", None, "families, such as x3d,movinet")
    flags.string("row", None, "names or ids of rows, separated by commas")
    flags.group("Output")
    flags.string("to", None, "folder of the mirror", required=True)
    flags.switch("resume", True, "pass over rows that the folder has already")


def run(options, _):
    selected = chosen_rows(options)
    folder = Path(options.to)
    folder.mkdir(parents=True, exist_ok=True)
    entries = read_index(folder) if options.resume else {}
    failed, passed_over = [], 0
    for number, row in enumerate(selected, 1):
        line = f"[{number}/{len(selected)}] {row.id}"
        if is_converted(row, entries, folder):
            passed_over += 1
            print(f"{line}: there already", flush=True)
            continue
        print(line, end=": ", flush=True)
        start = time.monotonic()
        try:
            entry = convert_row(row, folder)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, others may do
            failed.append((row, " ".join(str(error).split()) or type(error).__name__))
            print(f"failed: {failed[-1][1]}", flush=True)
            continue
        size = (folder / entry.file).stat().st_size / 1e6
        print(f"{entry.file}, {size:.0f} MB, {time.monotonic() - start:.0f} s", flush=True)
    made = len(selected) - len(failed) - passed_over
    print(f"{made} converted, {passed_over} there already, {len(failed)} failed; in {folder}")
    if not failed:
        return 0
    lines = [f"  {row.id}: {reason}" for row, reason in failed]
    return "\n".join(["Not converted:", *lines])


def chosen_rows(options):
    """The rows that the options name, those without published weights left out.

    Raises:
        ValueError: if they name none, or a row without published weights.
    """
    if bool(options.all) + bool(options.family) + bool(options.row) != 1:
        raise ValueError(
            f"--all={options.all} --family={options.family} --row={options.row}: give one of them."
        )
    if options.row:
        rows = [zoo.row(name) for name in options.row.split(",")]
        for row in rows:
            if row.checkpoint is None:
                raise ValueError(f"--row={row.name}: it has no published weights of its own.")
        return rows
    families = options.family.split(",") if options.family else [None]
    rows = [row for family in families for row in zoo.rows(family, kind="model")]
    return [row for row in rows if row.checkpoint is not None]
