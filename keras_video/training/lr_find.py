"""Learning-rate range test: a short training with an increasing rate (arXiv:1506.01186)."""

import csv
import io
import math
from dataclasses import dataclass

import keras
import numpy as np

from keras_video import atomic
from keras_video.training.plots import new_figure

# Momentum of the smoothed loss, and the multiple of its minimum that ends the search.
_SMOOTHING, _DIVERGED = 0.9, 4.0
# First steps, over which the mean is not yet smooth.
_FIRST = 10


@dataclass(frozen=True)
class RateCurve:
    """Training loss as a function of the learning rate.

    Attributes:
        rates: learning rates, ascending.
        losses: the loss of the step at each of them.
        smoothed: an exponential moving average of the losses.
        suggested: the rate at which the smoothed loss falls fastest; `None` if it never falls.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float | None

    def save(self, path):
        """Writes a CSV file of rate, loss and smoothed loss."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["learning_rate", "loss", "smoothed_loss"])
        writer.writerows(zip(self.rates, self.losses, self.smoothed, strict=True))
        atomic.write_text(path, text.getvalue())

    def draw(self, path):
        """Plots the losses over the rates. Needs matplotlib."""
        figure, axes = new_figure((7, 4.2))
        axes.plot(self.rates, self.losses, color="#bbbbbb", linewidth=1, label="loss per step")
        axes.plot(self.rates, self.smoothed, color="#1f6fb4", linewidth=2, label="smoothed")
        if self.suggested is not None:
            axes.axvline(self.suggested, color="#d9622b", linewidth=1.5)
            position = (self.suggested, 1.01)
            text = f"{self.suggested:.2g}"
            axes.annotate(text, position, xycoords=("data", "axes fraction"), ha="center")
        axes.set_xscale("log")
        # The diverging end would flatten the rest of the curve.
        low, high = min(self.smoothed), max(self.smoothed[0], *self.smoothed[:-1])
        axes.set_ylim(low - 0.1 * (high - low) - 1e-6, high + 0.3 * (high - low) + 1e-6)
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        axes.grid(color="#dddddd", linewidth=0.8)
        axes.legend(frameon=False)
        figure.savefig(path, dpi=130)


def find_learning_rate(model, dataset, *, lowest=1e-6, highest=10.0, steps=100, verbose=0):
    """Trains for some steps with a learning rate that grows from step to step.

    Leaves the model's weights and its optimizer state unusable: rebuild the model afterwards.

    Args:
        model: a compiled model whose optimizer has a constant rate, not a schedule.
        dataset: a `tf.data.Dataset` of batches; it is repeated as needed.
        lowest, highest: the rates of the first and the last step.
        steps: number of steps; fewer if the loss grows to four times its minimum.
        verbose: 1 shows a progress bar.

    Returns:
        A `RateCurve`.

    Raises:
        ValueError: for rates or steps out of range, a schedule, or a loss that is not finite in the
            first steps.
    """
    if not 0 < lowest < highest or steps < 10:
        raise ValueError(
            f"lowest={lowest}, highest={highest}, steps={steps}: expected 0 < lowest < highest and "
            "at least 10 steps"
        )
    rates = np.geomspace(lowest, highest, steps)
    ramp = _RateRamp(rates)
    model.fit(
        dataset.repeat(),
        steps_per_epoch=steps,
        epochs=1,
        callbacks=[ramp],
        verbose=verbose,
        shuffle=False,
    )
    count = len(ramp.losses)
    if count < 5:
        raise ValueError(f"the loss is not finite after {count} steps at a rate of {rates[count]}")
    return curve_of(rates[:count].tolist(), ramp.losses)


def curve_of(rates, losses):
    """The `RateCurve` of losses at ascending rates."""
    smoothed = _smoothed(losses)
    # Past its minimum the loss rises; in the first steps the mean is over too few losses.
    start = min(_FIRST, len(losses) // 5)
    end = start + int(np.argmin(smoothed[start:])) + 1
    suggested = None
    if end - start > 2:
        slopes = np.gradient(np.asarray(smoothed[start:end]), np.log(rates[start:end]))
        best = int(np.argmin(slopes))
        suggested = float(rates[start + best]) if slopes[best] < 0 else None
    return RateCurve(tuple(rates), tuple(losses), tuple(smoothed), suggested)


def _smoothed(losses):
    mean, smoothed = 0.0, []
    for count, loss in enumerate(losses, 1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        smoothed.append(mean / (1 - _SMOOTHING**count))
    return smoothed


class _RateRamp(keras.callbacks.Callback):
    """Sets the rate of every step and records its loss."""

    def __init__(self, rates):
        super().__init__()
        self.rates = rates
        self.losses = []
        self._total = 0.0

    def on_train_begin(self, logs=None):
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            raise ValueError(
                "find_learning_rate: the optimizer has a schedule, expected a number as its "
                "learning rate"
            )

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = float(self.rates[batch])

    def on_train_batch_end(self, batch, logs=None):
        # The logs hold the mean over the steps so far.
        total = (logs or {})["loss"] * (batch + 1)
        loss, self._total = total - self._total, total
        if not math.isfinite(loss):
            self.model.stop_training = True
            return
        self.losses.append(float(loss))
        smoothed = _smoothed(self.losses)
        if batch >= 10 and smoothed[-1] > _DIVERGED * min(smoothed):
            self.model.stop_training = True
