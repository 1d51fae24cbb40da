"""Plots the training curves of one or several runs.

    keras-video plot work_dirs/tsn work_dirs/tsm --out curves.png
    keras-video plot work_dirs/* --columns loss,top1

A run is given as its work folder or log file. Each run has its own color; training curves are
dashed, evaluation curves are solid.
"""

from pathlib import Path

from keras_video.training.records import read_log
from keras_video.training.run_plots import draw_runs

TAKES_ARGUMENTS = True


def define(flags):
    flags.string("out", "curves.png", "plot to write: .png, .pdf or .svg")
    flags.words("columns", None, "columns to plot, such as loss,top1; all if not given")


def run(options, arguments):
    runs = {name: read_log(path) for name, path in log_files(arguments).items()}
    empty = [name for name, run in runs.items() if not run]
    if empty:
        raise ValueError(f"received {', '.join(empty)}, whose logs contain no epochs yet.")
    try:
        draw_runs(options.out, runs, options.columns)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ImportError("Plotting needs matplotlib: pip install keras-video[plots]") from error
    print(f"{len(runs)} runs are plotted in {options.out}")


def log_files(arguments):
    """`{name of the run: path of its log.csv}`; duplicate names are prefixed with their folder.

    Raises:
        ValueError: if no run is given, or a run has no log.
    """
    if not arguments:
        raise ValueError("received no run, expected work folders or log files.")
    paths = {}
    for argument in arguments:
        path = Path(argument)
        log = path / "log.csv" if path.is_dir() else path
        if not log.is_file():
            raise ValueError(f"received {argument}, expected a run: {log} does not exist.")
        folder = log.resolve().parent
        names = (folder.name, f"{folder.parent.name}/{folder.name}", str(log))
        paths[next((name for name in names if name not in paths), names[-1])] = log
    return paths
