"""The end of a run: what it leaves."""

import keras

from keras_video import data
from keras_video.training.divergence import check_weights
from keras_video.training.evaluation import evaluate_views
from keras_video.training.from_row import row_monitor
from keras_video.training.records import read_log
from keras_video.training.results import write_results
from keras_video.training.saving import save_model


def finish(run, model, test, predict):
    """Saves the model, loads it again, evaluates what was loaded, and predicts one video.

    Leaves `model.keras`, `metrics.json`, pictures and tables in the work folder.

    Args:
        run: the `Run`.
        model: the trained model.
        test: clips to evaluate on.
        predict: `predict(model, path)`, the scores of one file; `None` for no example.

    Returns:
        The content of `metrics.json`; `None` in other processes than the chief.
    """
    path = run.work_dir / "model.keras"
    check_weights(model, "after the training")
    save_model(model, path)
    if not run.worker.is_chief:
        return None
    model = keras.models.load_model(path)
    average = run.row.average
    scores, labels = evaluate_views(model, test, average=average, max_views=run.max_views)
    history = read_log(run.work_dir / "log.csv")
    report = write_results(run.work_dir, scores, labels, run.videos.class_names, history)
    figure = row_monitor(run.row)
    print(f"{figure} {report[figure]:.4f} of {report['videos']} videos, from {path}")
    if predict is not None and run.videos.source in (None, data.Videos()):
        show_prediction(model, run.videos, predict)
    print(f"Results are in {run.work_dir}")
    return report


def show_prediction(model, videos, predict, top=5):
    """Prints the best classes of the first video of the evaluation list."""
    record = data.read_annotations(videos.val_list, videos.root, form=videos.val_form)[0]
    scores = predict(model, record.path)
    truth = ", ".join(videos.class_names[label] for label in record.labels)
    print(f"{record.path} ({truth}):")
    for index in scores.argsort()[::-1][:top]:
        print(f"  {scores[index]:.4f}  {model.class_names[index]}")
