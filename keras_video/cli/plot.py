"""The curves of one or several runs on one picture.

    python recipes/plot_history.py work_dirs/tsn work_dirs/tsm --out curves.png
    python recipes/plot_history.py work_dirs/* --columns loss,top1

A run is its work folder, or a log file. A colour is a run; training is dashed, held-out videos are
drawn out.
"""

from pathlib import Path

from absl import app, flags

from keras_video.training.records import read_log
from keras_video.training.run_pictures import draw_runs

FLAGS = flags.FLAGS
flags.DEFINE_string("out", "curves.png", "picture to write: .png, .pdf or .svg")
flags.DEFINE_list("columns", None, "what to draw, such as loss,top1; everything if not given")


def main(arguments):
    runs = {name: read_log(path) for name, path in log_files(arguments[1:]).items()}
    empty = [name for name, run in runs.items() if not run]
    if empty:
        raise app.UsageError(f"received {', '.join(empty)}, whose logs hold no epoch yet.")
    try:
        draw_runs(FLAGS.out, runs, FLAGS.columns)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise SystemExit("Drawing needs matplotlib: pip install keras-video[plots]") from error
    print(f"{len(runs)} runs are drawn in {FLAGS.out}")


def log_files(arguments):
    """`{name of a run: its log.csv}`; runs of the same name bear their folder as well.

    Raises:
        absl.app.UsageError: if no run is given, or one has no log.
    """
    if not arguments:
        raise app.UsageError("received no run, expected work folders or log files.")
    paths = {}
    for argument in arguments:
        path = Path(argument)
        log = path / "log.csv" if path.is_dir() else path
        if not log.is_file():
            raise app.UsageError(f"received {argument}, expected a run: there is no file {log}.")
        folder = log.resolve().parent
        names = (folder.name, f"{folder.parent.name}/{folder.name}", str(log))
        paths[next((name for name in names if name not in paths), names[-1])] = log
    return paths


if __name__ == "__main__":
    app.run(main)
