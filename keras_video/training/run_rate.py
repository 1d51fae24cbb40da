"""A run that looks for its learning rate."""

from absl import logging

from keras_video.training.lr_find import find_learning_rate
from keras_video.training.work_dir import verbosity

LOWEST = 1e-6


def search_rate(run, train):
    """Looks for the learning rate of a run, draws the losses, and says what to give.

    Leaves `lr_find.png` and `lr_find.csv` in the work folder, and trains nothing that is kept.

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
        drawn = run.work_dir / "lr_find.png"
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        logging.warning("No picture drawn: pip install keras-video[plots]")
        drawn = run.work_dir / "lr_find.csv"
    print(_advice(run, curve))
    print(f"The losses over the rates are in {drawn}")
    return curve


def _advice(run, curve):
    if curve.suggested is None:
        return "The loss does not fall at any rate: no rate is suggested."
    batch = run.batch_size * (run.settings.accumulate or 1)
    stated = run.row.batch_size or batch
    text = f"Suggested: --learning_rate={curve.suggested * stated / batch:.2g}"
    if stated != batch:
        text += (
            f" (a rate is given for batches of {stated}; for those of {batch} it is "
            f"{curve.suggested:.2g})"
        )
    return text
