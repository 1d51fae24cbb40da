"""Adam with decoupled weight decay, with the semantics of ``torch.optim.AdamW``."""

import math

import keras
from keras import ops

from keras_video.training.layer_depth import layer_depths
from keras_video.training.optimizers import GroupedOptimizer, path_of


@keras.saving.register_keras_serializable("keras_video")
class AdamW(GroupedOptimizer):
    """Adam with decoupled weight decay (arXiv:1711.05101) as PyTorch does it.

    In step ``t``, for every variable ``w`` with gradient ``g``::

        w = w - rate * weight_decay * w
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g ** 2
        w = w - rate * (m / (1 - beta_1 ** t)) / (sqrt(v / (1 - beta_2 ** t)) + epsilon)

    ``keras.optimizers.AdamW`` differs: it adds epsilon before correcting the bias of the second
    moment, and variables can only be excluded from its decay, not given their own. Gradients are
    clipped as in ``SGD``.

    Args:
        learning_rate: float or ``keras.optimizers.schedules.LearningRateSchedule``.
        beta_1, beta_2: decay rates of the running means of the gradient and of its square, in
            [0, 1).
        epsilon: added to the square root of the second moment.
        weight_decay: factor, times the rate, by which variables shrink in a step.
        multipliers: sequence of ``Multiplier``; for each variable the first whose pattern
            matches applies.
        layer_decay: layer-wise decay of the learning rate: the rate of a variable is multiplied
            by it once for every layer between the variable and the classifier
            (arXiv:2106.08254); see ``layer_depths``. 1 for equal rates.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: see
            ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: for values out of range, for gradient accumulation with more than one
            replica, and for a ``layer_decay`` with a model without transformer blocks.
    """

    def __init__(
        self,
        learning_rate,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        weight_decay=0.01,
        multipliers=(),
        layer_decay=1.0,
        *,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        loss_scale_factor=None,
        gradient_accumulation_steps=None,
        name=None,
    ):
        for name, value in (("beta_1", beta_1), ("beta_2", beta_2)):
            if not 0 <= value < 1:
                raise ValueError(f"AdamW: {name} must be in [0, 1), received {value}")
        if not epsilon >= 0:
            raise ValueError(f"AdamW: epsilon must not be negative, received {epsilon}")
        if not 0 < layer_decay <= 1:
            raise ValueError(f"AdamW: layer_decay must be in (0, 1], received {layer_decay}")
        super().__init__(
            learning_rate,
            weight_decay,
            multipliers,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
        )
        self.beta_1 = float(beta_1)
        self.beta_2 = float(beta_2)
        self.epsilon = float(epsilon)
        self.layer_decay = float(layer_decay)

    def build(self, variables):
        """Creates the moments of ``variables`` and resolves their factors."""
        if self.built:
            return
        super().build(variables)
        self._means = self.add_optimizer_variables(variables, "momentum")
        self._squares = self.add_optimizer_variables(variables, "velocity")

    def _resolve_factors(self, variables):
        factors = super()._resolve_factors(variables)
        if self.layer_decay == 1:
            return factors
        depths = layer_depths(path_of(variable) for variable in variables)
        last = max(depths.values())
        return [
            (rate * self.layer_decay ** (last - depths[path_of(variable)]), decay)
            for variable, (rate, decay) in zip(variables, factors, strict=True)
        ]

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable from its gradient."""
        index, dtype = self._get_variable_index(variable), variable.dtype
        rate = ops.cast(learning_rate, dtype) * self._rates[index]
        gradient = ops.cast(gradient, dtype)
        mean = self.beta_1 * self._means[index] + (1 - self.beta_1) * gradient
        square = self.beta_2 * self._squares[index] + (1 - self.beta_2) * ops.square(gradient)
        self.assign(self._means[index], mean)
        self.assign(self._squares[index], square)
        step = ops.cast(self.iterations + 1, dtype)
        root = ops.sqrt(square / _correction(self.beta_2, step)) + self.epsilon
        update = rate * mean / _correction(self.beta_1, step) / root
        if self._decays[index]:
            update = update + rate * self._decays[index] * variable
        self.assign_sub(variable, update)

    def get_config(self):
        names = ("beta_1", "beta_2", "epsilon", "layer_decay")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _correction(beta, step):
    """`1 - beta ** step`, without loss of precision when `beta` is near 1."""
    return -ops.expm1(step * math.log(beta)) if beta else ops.ones_like(step)
