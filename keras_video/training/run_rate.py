"""The learning-rate search of a run."""

from absl import logging

from keras_video.training.lr_find import find_learning_rate
from keras_video.training.work_dir import verbosity

LOWEST = 1e-6


def search_rate(run, train):
    """Searches the learning rate of a run, plots the losses, and prints a suggestion.

    Writes `lr_find.png` and `lr_find.csv` to the work folder, and saves no model.

    Args:
        run: the `keras_video.training.run.Run`.
        train: its training examples.

    Returns:
        The `keras_video.training.RateCurve`.
    """
    with run.strategy.scope():
        model = run.model()
        optimizer = run.optimizer(steps_per_epoch=1)
        config = {**optimizer.get_config(), "learning_rate": LOWEST}
        run.compile(model, type(optimizer).from_config(config))
    curve = find_learning_rate(model, train, lowest=LOWEST, verbose=verbosity())
    curve.save(run.work_dir / "lr_find.csv")
    try:
        curve.draw(run.work_dir / "lr_find.png")
        result = run.work_dir / "lr_find.png"
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        logging.warning("No plot written: pip install keras-video[plots]")
        result = run.work_dir / "lr_find.csv"
    print(_suggestion(run, curve))
    print(f"The losses over the rates are in {result}")
    return curve


def _suggestion(run, curve):
    if curve.suggested is None:
        return "The loss does not fall at any rate: no rate is suggested."
    batch = run.batch_size * (run.settings.accumulate or 1)
    row_batch = run.row.batch_size or batch
    text = f"Suggested: --learning_rate={curve.suggested * row_batch / batch:.2g}"
    if row_batch != batch:
        text += (
            f" (specified for a batch size of {row_batch}; for {batch} it is {curve.suggested:.2g})"
        )
    return text
