"""The end of a run: what it leaves."""

from absl import logging

from keras_video import data
from keras_video.data.annotations.records import printable
from keras_video.inference.audio import predict_audio, predict_audiovisual
from keras_video.inference.two_classes import both_classes
from keras_video.inference.video import predict_video
from keras_video.training.divergence import check_weights
from keras_video.training.evaluation import evaluate_views
from keras_video.training.from_row import row_monitor
from keras_video.training.records import read_log
from keras_video.training.results import write_results
from keras_video.training.saving import save_model
from keras_video.weights.keras_files import load_model
from keras_video.zoo.protocol import AUDIO, AUDIOVISUAL, VIDEO, modality

PREDICT = {VIDEO: predict_video, AUDIO: predict_audio, AUDIOVISUAL: predict_audiovisual}


def finalize(run, model, test):
    """Saves the model, loads it again, evaluates what was loaded, and predicts one video.

    Leaves `model.keras`, `metrics.json`, pictures and tables in the work folder.

    Args:
        run: the `Run`.
        model: the trained model.
        test: clips to evaluate on.

    Returns:
        The content of `metrics.json`; `None` in other processes than the chief.
    """
    path = run.work_dir / "model.keras"
    check_weights(model, "after the training")
    save_model(model, path)
    if not run.worker.is_chief:
        return None
    model = load_model(path, compile=True)
    average = run.row.average
    scores, labels = evaluate_views(model, test, average=average, max_views=run.max_views)
    history = read_log(run.work_dir / "log.csv")
    lists = run.lists
    records = data.read_annotations(lists.val_list, lists.root, form=lists.val_form)
    report = write_results(
        run.work_dir, scores, labels, lists.class_names, history, listed=len(records)
    )
    figure = row_monitor(run.row)
    print(f"{figure} {report[figure]:.4f} of {report['videos']} videos, from {path}")
    if lists.source in (None, data.Videos()):
        show_prediction(model, records, lists.class_names, PREDICT[modality(run.row)])
    print(f"Results are in {run.work_dir}")
    return report


def show_prediction(model, records, class_names, predict, top=5):
    """Prints the best classes of the first video of the evaluation list that can be read."""
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
