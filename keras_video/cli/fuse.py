"""Fuses the scores of several models on the same videos and evaluates them.

Score files are written by `keras-video evaluate` (see `keras_video.inference.score_files`); the
order of their videos does not matter. Two streams, with optical flow weighted 1.5:

    keras-video fuse rgb/scores.npz flow/scores.npz --coefficients 1,1.5

Frames and audio, whose files have different extensions (`run.mp4` and `run.wav`), from logits:

    keras-video fuse rgb.npz audio.npz --softmax --match stem

The work folder then contains `metrics.json`, a per-class table and the fused `scores.npz`.
"""

from pathlib import Path, PurePosixPath

from absl import logging

from keras_video.inference.score_files import fuse_scores, read_scores, write_scores
from keras_video.training.evaluation import score_report
from keras_video.training.results import write_results

TAKES_ARGUMENTS = True


def define(flags):
    flags.words("coefficients", None, "weight of each score file; default 1 each")
    flags.switch("softmax", False, "apply softmax first, for files of logits")
    flags.choice(
        "match",
        "name",
        ["name", "stem"],
        "match videos by name, or by name without folder and extension",
    )
    flags.string("work_dir", "work_dirs/fused", "folder for the results")


def run(options, arguments):
    if not arguments:
        raise ValueError("received no score files, expected the files to fuse.")
    fused = fuse_scores(
        [read_scores(path) for path in arguments],
        numbers(options.coefficients),
        softmax=options.softmax,
        name=(lambda name: PurePosixPath(name).stem) if options.match == "stem" else str,
    )
    work_dir = Path(options.work_dir)
    file = work_dir / "scores.npz"
    write_scores(file, fused.names, fused.scores, fused.labels, fused.class_names)
    if fused.labels is None:
        logging.warning("None of the files has labels: writing only %s", file)
        return
    report = write_results(work_dir, fused.scores, fused.labels, fused.class_names)
    for name in score_report(fused.scores, fused.labels):
        print(f"{name}: {report[name]:.4f}")
    print(f"Results of {report['videos']} videos are in {work_dir}")


def numbers(coefficients):
    """The coefficients as floats; `None` if not given."""
    if coefficients is None:
        return None
    try:
        return [float(text) for text in coefficients]
    except ValueError as error:
        raise ValueError(f"--coefficients={coefficients}: expected numbers.") from error
