"""Learning-rate schedules over iterations: step and cosine, with warm-up."""

import dataclasses
import math

import keras
from keras import ops

_KINDS = ("constant", "linear", "exp")


@dataclasses.dataclass(frozen=True)
class Warmup:
    """Warm-up of the learning rate at the start of a training.

    In iteration ``i`` of ``n`` the schedule's rate is multiplied by ``ratio`` ("constant"),
    by a line from ``ratio`` to 1 ("linear") or by ``ratio ** (1 - i / n)`` ("exp").

    Args:
        kind: "constant", "linear" or "exp".
        ratio: factor in the first iteration, in (0, 1].
        iterations: length in iterations, or
        epochs: length in epochs. Give exactly one of the two.
    """

    kind: str = "linear"
    ratio: float = 0.1
    iterations: int | None = None
    epochs: int | None = None

    def __post_init__(self):
        if self.kind not in _KINDS:
            raise ValueError(f"Warmup: kind must be one of {_KINDS}, received {self.kind!r}")
        if not 0 < self.ratio <= 1:
            raise ValueError(f"Warmup: ratio must be in (0, 1], received {self.ratio}")
        lengths = [length for length in (self.iterations, self.epochs) if length is not None]
        if len(lengths) != 1 or lengths[0] <= 0:
            raise ValueError(
                "Warmup: give either iterations or epochs, greater than 0; received "
                f"iterations={self.iterations}, epochs={self.epochs}"
            )

    def length(self, steps_per_epoch):
        """Length in iterations."""
        return self.iterations or self.epochs * steps_per_epoch

    def factor(self, step, steps_per_epoch):
        """Factor of the rate in iteration ``step`` (float tensor)."""
        length = self.length(steps_per_epoch)
        part = ops.minimum(step / length, 1.0)
        if self.kind == "linear":
            factor = self.ratio + (1.0 - self.ratio) * part
        elif self.kind == "exp":
            factor = ops.exp(math.log(self.ratio) * (1.0 - part))
        else:
            factor = self.ratio
        return ops.where(step < length, factor, 1.0)


class _EpochSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Base of both schedules: counting of epochs, and warm-up."""

    def __init__(self, learning_rate, steps_per_epoch, by_epoch, warmup):
        super().__init__()
        if not learning_rate > 0:
            raise ValueError(
                f"{type(self).__name__}: learning_rate must be greater than 0, "
                f"received {learning_rate}"
            )
        if steps_per_epoch < 1:
            raise ValueError(
                f"{type(self).__name__}: steps_per_epoch must be at least 1, "
                f"received {steps_per_epoch}"
            )
        self.learning_rate = float(learning_rate)
        self.steps_per_epoch = int(steps_per_epoch)
        self.by_epoch = bool(by_epoch)
        self.warmup = Warmup(**warmup) if isinstance(warmup, dict) else warmup

    def __call__(self, step):
        step = ops.cast(ops.convert_to_tensor(step), "int32")
        progress = ops.floor_divide(step, self.steps_per_epoch) if self.by_epoch else step
        rate = self._rate(progress)
        if self.warmup is None:
            return rate
        return rate * self.warmup.factor(ops.cast(step, "float32"), self.steps_per_epoch)

    def _rate(self, progress):
        """Rate without warm-up; ``progress`` counts epochs, or iterations if not ``by_epoch``."""
        raise NotImplementedError

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "steps_per_epoch": self.steps_per_epoch,
            "by_epoch": self.by_epoch,
            "warmup": None if self.warmup is None else dataclasses.asdict(self.warmup),
        }


@keras.saving.register_keras_serializable("keras_video")
class StepSchedule(_EpochSchedule):
    """The rate is multiplied by ``gamma`` at every milestone.

    Args:
        learning_rate: initial rate.
        milestones: epochs at whose start the rate drops, or an integer n for every n epochs.
        steps_per_epoch: iterations of an epoch.
        gamma: factor of every drop.
        min_learning_rate: the rate does not drop below it.
        by_epoch: whether milestones are epochs; otherwise iterations.
        warmup: ``Warmup`` or None.
    """

    def __init__(
        self,
        learning_rate,
        milestones,
        *,
        steps_per_epoch,
        gamma=0.1,
        min_learning_rate=0.0,
        by_epoch=True,
        warmup=None,
    ):
        super().__init__(learning_rate, steps_per_epoch, by_epoch, warmup)
        self.milestones = milestones if isinstance(milestones, int) else tuple(milestones)
        listed = (milestones,) if isinstance(milestones, int) else self.milestones
        if any(milestone <= 0 for milestone in listed):
            raise ValueError(
                f"StepSchedule: milestones must be greater than 0, received {milestones}"
            )
        self.gamma = float(gamma)
        self.min_learning_rate = float(min_learning_rate)

    def _rate(self, progress):
        if isinstance(self.milestones, int):
            drops = ops.floor_divide(progress, self.milestones)
        else:
            passed = [ops.cast(progress >= milestone, "int32") for milestone in self.milestones]
            drops = sum(passed, ops.zeros_like(progress))
        rate = self.learning_rate * ops.power(self.gamma, ops.cast(drops, "float32"))
        return ops.maximum(rate, self.min_learning_rate)

    def get_config(self):
        milestones = self.milestones
        return {
            **super().get_config(),
            "milestones": milestones if isinstance(milestones, int) else list(milestones),
            "gamma": self.gamma,
            "min_learning_rate": self.min_learning_rate,
        }


@keras.saving.register_keras_serializable("keras_video")
class CosineSchedule(_EpochSchedule):
    """The rate falls along half a cosine (SGDR, arXiv:1608.03983, without restarts).

    Args:
        learning_rate: initial rate.
        epochs: number of epochs until ``min_learning_rate``.
        steps_per_epoch: iterations of an epoch.
        min_learning_rate: rate at the end.
        by_epoch: whether the rate changes once per epoch; otherwise with every iteration.
        warmup: ``Warmup`` or None.
        after_warmup: count the cosine from the end of the warm-up, as TIN does (needs a warm-up
            and ``by_epoch=False``); otherwise the cosine runs during the warm-up as well.
        flat_warmup: with ``after_warmup``, whether the warm-up rises to a constant
            ``learning_rate``; TIN's warm-up multiplies the cosine extrapolated before its start.
    """

    def __init__(
        self,
        learning_rate,
        epochs,
        *,
        steps_per_epoch,
        min_learning_rate=0.0,
        by_epoch=True,
        warmup=None,
        after_warmup=False,
        flat_warmup=False,
    ):
        super().__init__(learning_rate, steps_per_epoch, by_epoch, warmup)
        if epochs < 1:
            raise ValueError(f"CosineSchedule: epochs must be at least 1, received {epochs}")
        if after_warmup and (by_epoch or warmup is None):
            raise ValueError(
                "CosineSchedule: after_warmup needs a warmup and by_epoch=False; received "
                f"warmup={warmup}, by_epoch={by_epoch}"
            )
        self.epochs = int(epochs)
        self.min_learning_rate = float(min_learning_rate)
        self.after_warmup = bool(after_warmup)
        self.flat_warmup = bool(flat_warmup)

    def _rate(self, progress):
        last = self.epochs if self.by_epoch else self.epochs * self.steps_per_epoch
        first = self.warmup.length(self.steps_per_epoch) if self.after_warmup else 0
        remaining = ops.cast(ops.maximum(last - progress, 0), "float32") / max(last - first, 1)
        if self.flat_warmup:
            remaining = ops.minimum(remaining, 1.0)
        # sin^2 of the remainder is (1 + cos) / 2, without its loss of precision near the end.
        part = ops.square(ops.sin(0.5 * math.pi * remaining))
        return self.min_learning_rate + (self.learning_rate - self.min_learning_rate) * part

    def get_config(self):
        return {
            **super().get_config(),
            "epochs": self.epochs,
            "min_learning_rate": self.min_learning_rate,
            "after_warmup": self.after_warmup,
            "flat_warmup": self.flat_warmup,
        }


@keras.saving.register_keras_serializable("keras_video")
class ScaledSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule multiplied by a constant.

    Args:
        schedule: any ``keras.optimizers.schedules.LearningRateSchedule``.
        scale: the constant.
    """

    def __init__(self, schedule, scale):
        super().__init__()
        self.schedule = schedule
        self.scale = float(scale)

    def __call__(self, step):
        return self.schedule(step) * self.scale

    def get_config(self):
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "scale": self.scale,
        }

    @classmethod
    def from_config(cls, config):
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(schedule, config["scale"])
