"""The end of a run: what it leaves."""

import keras

from keras_video import data
from keras_video.inference.audio import predict_audio, predict_audiovisual
from keras_video.inference.video import predict_video
from keras_video.training.evaluation import evaluate_views
from keras_video.training.from_row import row_monitor
from keras_video.training.lists import AUDIO, AUDIOVISUAL, VIDEO, modality
from keras_video.training.records import read_log
from keras_video.training.results import write_results

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
    model.save(path)
    if not run.worker.is_chief:
        return None
    model = keras.models.load_model(path)
    average = run.row.average
    scores, labels = evaluate_views(model, test, average=average, max_views=run.max_views)
    history = read_log(run.work_dir / "log.csv")
    report = write_results(run.work_dir, scores, labels, run.lists.class_names, history)
    figure = row_monitor(run.row)
    print(f"{figure} {report[figure]:.4f} of {report['videos']} videos, from {path}")
    if run.lists.source in (None, data.Videos()):
        show_prediction(model, run.lists, PREDICT[modality(run.row)])
    print(f"Results are in {run.work_dir}")
    return report


def show_prediction(model, lists, predict, top=5):
    """Prints the best classes of the first video of the evaluation list."""
    record = data.read_annotations(lists.val_list, lists.root, form=lists.val_form)[0]
    scores = predict(model, record.path)
    truth = ", ".join(lists.class_names[label] for label in record.labels)
    print(f"{record.path} ({truth}):")
    for index in scores.argsort()[::-1][:top]:
        print(f"  {scores[index]:.4f}  {model.class_names[index]}")
