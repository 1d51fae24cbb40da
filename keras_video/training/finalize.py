"""The end of a run: saved model, evaluation and results."""

import json

from absl import logging

from keras_video import data
from keras_video.data.annotations.records import printable
from keras_video.inference.audio import predict_audio, predict_audiovisual
from keras_video.inference.export import export_model
from keras_video.inference.folding import fold_batch_norm
from keras_video.inference.two_classes import both_classes
from keras_video.inference.video import predict_video
from keras_video.training.divergence import check_weights
from keras_video.training.evaluation import evaluate_views
from keras_video.training.from_row import row_monitor
from keras_video.training.records import read_log
from keras_video.training.results import METRICS, write_results
from keras_video.training.saving import save_model
from keras_video.training.settings import EXPORTED
from keras_video.weights.keras_files import load_model
from keras_video.zoo.protocol import AUDIO, AUDIOVISUAL, VIDEO, modality

PREDICT = {VIDEO: predict_video, AUDIO: predict_audio, AUDIOVISUAL: predict_audiovisual}


def finalize(run, model, test):
    """Saves the model, reloads it, evaluates the reloaded model, and predicts one video.

    Writes `model.keras`, `metrics.json`, plots and tables to the work folder.

    Args:
        run: the `Run`.
        model: the trained model.
        test: clips to evaluate on.

    Returns:
        The content of `metrics.json`; `None` in processes other than the chief.
    """
    path = run.work_dir / "model.keras"
    check_weights(model, "after the training")
    save_model(model, path)
    if not run.worker.is_chief:
        return None
    model = load_model(path)
    score_average = run.row.score_average
    scores, labels = evaluate_views(
        model, test, score_average=score_average, max_views=run.max_views
    )
    history = read_log(run.work_dir / "log.csv")
    lists = run.lists
    records = data.read_annotations(lists.val_list, lists.root, annotation_format=lists.val_format)
    report = write_results(
        run.work_dir, scores, labels, lists.class_names, history, listed=len(records),
        stopped_early=len(history.get("epoch", ())) < run.epochs,
    )  # fmt: skip
    metric = row_monitor(run.row)
    print(f"{metric} {report[metric]:.4f} on {report['videos']} videos, from {path}")
    if lists.source in (None, data.Videos()):
        show_prediction(model, records, lists.class_names, PREDICT[modality(run.row)])
    write_exports(run, model)
    print(f"Results are in {run.work_dir}")
    return report


def finished_report(run):
    """The content of `metrics.json` of a finished run; prints that it is finished.

    Exports requested by the settings that are missing are written.
    """
    report = json.loads((run.work_dir / METRICS).read_bytes())
    early = ", stopped early" if report.get("stopped_early") else ""
    print(f"finished, {report['epochs']} of {run.epochs} epochs{early}: nothing is left to train.")
    path, metric = run.work_dir / "model.keras", row_monitor(run.row)
    print(f"{metric} {report[metric]:.4f} on {report['videos']} videos, from {path}")
    if any(not (run.work_dir / EXPORTED[name]).exists() for name in run.settings.export):
        write_exports(run, load_model(path))
    print(f"Results are in {run.work_dir}")
    return report


def write_exports(run, model):
    """Exports the trained model in the formats of the settings, and prints the paths."""
    for name in run.settings.export:
        path = run.work_dir / EXPORTED[name]
        export_model(fold_batch_norm(model), path, name)
        print(f"Exported {path} ({name})")


def show_prediction(model, records, class_names, predict, top=5):
    """Prints the top classes of the first readable video of the evaluation list."""
    for record in records:
        try:
            scores = both_classes(predict(model, record.path))
        except data.DecodeError as error:
            logging.warning("%s", error)
            continue
        truth = ", ".join(class_names[label] for label in record.labels)
        print(printable(f"{record.path} ({truth}):"))
        for index in scores.argsort()[::-1][:top]:
            print(f"  {scores[index]:.4f}  {printable(class_names[index])}")
        return
