"""What optimizers with a rate and a decay per variable share."""

import dataclasses
import re

import keras
from keras import ops


@dataclasses.dataclass(frozen=True)
class Multiplier:
    """Factors for the variables whose path matches a pattern.

    Args:
        pattern: regular expression, searched in the path of a variable
            (``layer1_0_conv1_bn/gamma``).
        learning_rate: factor of the learning rate.
        weight_decay: factor of the weight decay.
    """

    pattern: str
    learning_rate: float = 1.0
    weight_decay: float = 1.0

    def __post_init__(self):
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(
                f"Multiplier: pattern {self.pattern!r} is not a regular expression: {error}"
            ) from error
        for field in ("learning_rate", "weight_decay"):
            if getattr(self, field) < 0:
                raise ValueError(
                    f"Multiplier: {field} must not be negative, received {getattr(self, field)}"
                )


class GroupedOptimizer(keras.optimizers.Optimizer):
    """An optimizer with a rate and a decay of its own for every variable.

    ``global_clipnorm`` is PyTorch's: gradients are multiplied by
    ``min(1, global_clipnorm / (norm of all gradients + 1e-6))``. With several replicas the norm is
    that of the summed gradient.

    Args:
        learning_rate: float or ``keras.optimizers.schedules.LearningRateSchedule``.
        weight_decay: factor of the weights.
        multipliers: sequence of ``Multiplier``; for each variable the first whose pattern
            matches counts.
        **options: what every Keras optimizer takes.

    Raises:
        ValueError: for values out of range, and for gradient accumulation with more than one
            replica.
    """

    def __init__(self, learning_rate, weight_decay, multipliers, **options):
        kind = type(self).__name__
        if not weight_decay >= 0:
            raise ValueError(f"{kind}: weight_decay must not be negative, received {weight_decay}")
        for entry in multipliers:
            if not isinstance(entry, Multiplier):
                raise ValueError(
                    f"{kind}: multipliers must be Multiplier objects, received {entry!r}"
                )
        super().__init__(learning_rate, weight_decay=float(weight_decay), **options)
        self.multipliers = tuple(multipliers)
        self._refuse_accumulation(getattr(self, "_distribution_strategy", None))

    def build(self, variables):
        """Settles the factors of ``variables``."""
        if self.built:
            return
        for variable in variables:
            native = getattr(variable, "value", variable)
            self._refuse_accumulation(getattr(native, "distribute_strategy", None))
        super().build(variables)
        factors = self._factors_of_all(variables)
        self._rates = tuple(rate for rate, _ in factors)
        self._decays = tuple(decay for _, decay in factors)

    def get_config(self):
        multipliers = [dataclasses.asdict(entry) for entry in self.multipliers]
        return {**super().get_config(), "multipliers": multipliers}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        multipliers = [Multiplier(**entry) for entry in config.get("multipliers", ())]
        return super().from_config({**config, "multipliers": multipliers}, custom_objects)

    def _factors_of_all(self, variables):
        """Factor of the rate, and decay, of every variable."""
        return [self._factors(variable) for variable in variables]

    def _factors(self, variable):
        decay = self.weight_decay if self._use_weight_decay(variable) else 0.0
        for entry in self.multipliers:
            if re.search(entry.pattern, path_of(variable)):
                return float(entry.learning_rate), decay * entry.weight_decay
        return 1.0, decay

    def _apply_weight_decay(self, variables):
        """Does nothing: ``update_step`` sees to the decay."""

    def _clip_gradients(self, grads):
        # TensorFlow sums gradients over replicas after this call; clipping waits until then.
        return grads if keras.backend.backend() == "tensorflow" else self._clip(grads)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        reduced = super()._all_reduce_sum_gradients(grads_and_vars)
        grads = self._clip([gradient for gradient, _ in reduced])
        return list(zip(grads, (variable for _, variable in reduced), strict=True))

    def _clip(self, grads):
        if not self.global_clipnorm:
            return super()._clip_gradients(grads)
        squares = [ops.sum(ops.square(ops.cast(gradient, "float32"))) for gradient in grads]
        norm = ops.sqrt(ops.sum(ops.stack(squares)))
        factor = ops.minimum(self.global_clipnorm / (norm + 1e-6), 1.0)
        return [gradient * ops.cast(factor, gradient.dtype) for gradient in grads]

    def _refuse_accumulation(self, strategy):
        replicas = getattr(strategy, "num_replicas_in_sync", 1)
        if self.gradient_accumulation_steps and replicas > 1:
            raise ValueError(
                f"{type(self).__name__}: gradient_accumulation_steps="
                f"{self.gradient_accumulation_steps} does not work with {replicas} replicas. Leave "
                "it out and take a larger batch, or train on one replica."
            )


def path_of(variable):
    """The path of a variable, its name where it has none."""
    return getattr(variable, "path", variable.name)
