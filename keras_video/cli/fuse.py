"""Fuses the scores of several models of the same videos, and says how good they are together.

Score files are what `keras-video evaluate` leaves (see `keras_video.inference.score_files`); their
videos may come in any order. Two streams, the optical flow counted one and a half times:

    keras-video fuse rgb/scores.npz flow/scores.npz --coefficients 1,1.5

Frames and sound, whose files are named differently (`run.mp4` and `run.wav`), from logits:

    keras-video fuse rgb.npz audio.npz --softmax --match stem

The work folder then holds `metrics.json`, a table per class and the fused `scores.npz`.
"""

from pathlib import Path, PurePosixPath

from absl import logging

from keras_video.inference.score_files import fuse_scores, read_scores, write_scores
from keras_video.training.evaluation import score_report
from keras_video.training.results import write_results

TAKES_ARGUMENTS = True


def define(flags):
    flags.words("coefficients", None, "a factor per score file; all 1 if not given")
    flags.switch("softmax", False, "turn scores into probabilities first: for files of logits")
    flags.choice(
        "match",
        "name",
        ["name", "stem"],
        "what is the same in all files: names, or names without folders and endings",
    )
    flags.string("work_dir", "work_dirs/fused", "folder of the results")


def run(options, arguments):
    if not arguments:
        raise ValueError("received no score files, expected those to fuse.")
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
        logging.warning("None of the files has labels: only %s is written", file)
        return
    report = write_results(work_dir, fused.scores, fused.labels, fused.class_names)
    for name in score_report(fused.scores, fused.labels):
        print(f"{name}: {report[name]:.4f}")
    print(f"Results of {report['videos']} videos are in {work_dir}")


def numbers(coefficients):
    """The factors of the options, as numbers; `None` if they give none."""
    if coefficients is None:
        return None
    try:
        return [float(text) for text in coefficients]
    except ValueError as error:
        raise ValueError(f"--coefficients={coefficients}: expected numbers.") from error
