"""Evaluates a model on a list of videos under its test protocol.

The published weights of a row, a checkpoint of one's own, or a `.keras` file:

    python recipes/evaluate.py --row tsn_r50_1x1x3_100e_kinetics400_rgb \
        --list val.txt --data_root videos
    python recipes/evaluate.py --row tsm_r50_1x1x8_50e_sthv1_rgb --checkpoint epoch_50.pth \
        --list val.txt --data_root videos
    python recipes/evaluate.py --model work_dirs/run/model.keras --list val.txt --data_root videos

The protocol is the row's, which `.keras` files carry with them: clips and crops, how scores are
averaged, how many views fit into memory at once. The results folder then holds `metrics.json`
(top-k, mean class accuracy, or mean average precisions), a table per class, the confusion matrix
as table and picture, and `scores.npz` to be fused with other models' by `recipes/fuse_scores.py`.
"""

from pathlib import Path

from absl import app, logging

from keras_video.inference.score_files import write_scores
from keras_video.training import testing, write_results
from keras_video.training.precision import use_half_precision

FLAGS = testing.define_evaluation_flags()


def main(_):
    logging.set_stderrthreshold("info")
    if FLAGS.mixed_precision:
        use_half_precision()
    model = testing.load_evaluated(FLAGS)
    settings = testing.protocol(model, FLAGS)
    seen = testing.evaluate_list(model, settings, FLAGS)
    names = testing.names_of_classes(model, FLAGS)

    folder = Path(FLAGS.work_dir)
    report = write_results(folder, seen.scores, seen.labels, names, listed=seen.listed)
    write_scores(folder / "scores.npz", seen.names, seen.scores, seen.labels, names)
    for name, value in report.items():
        print(f"{name}: {value:.4f}" if isinstance(value, float) else f"{name}: {value}")
    print(f"Results are in {folder}")


if __name__ == "__main__":
    app.run(main)
