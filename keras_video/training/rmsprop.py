"""RMSprop with weight decay added to the gradient, as by a regularized loss."""

import keras
from keras import ops

from keras_video.training.optimizers import GroupedOptimizer


@keras.saving.register_keras_serializable("keras_video")
class RMSprop(GroupedOptimizer):
    """RMSprop whose weight decay is added to the gradient.

    For every variable ``w`` with gradient ``g``::

        g = g + weight_decay * w
        g = g * clipnorm / max(clipnorm, norm of g)
        square = rho * square + (1 - rho) * g ** 2
        buffer = momentum * buffer + learning_rate * g / sqrt(square + epsilon)
        w = w - buffer

    ``keras.optimizers.RMSprop`` differs only in the decay, which it subtracts from the weights.

    Args:
        learning_rate: float or ``keras.optimizers.schedules.LearningRateSchedule``.
        rho: decay rate of the running mean of squares, in [0, 1).
        momentum: in [0, 1).
        epsilon: added under the square root.
        weight_decay: factor of the weights added to the gradient.
        multipliers: sequence of ``Multiplier``; for each variable the first whose pattern
            matches applies.
        clipnorm: maximum norm of the gradient of a variable, including its decay, or None.
        clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: see
            ``keras.optimizers.Optimizer``.

    Raises:
        ValueError: for values out of range, and for gradient accumulation with more than one
            replica.
    """

    def __init__(
        self,
        learning_rate,
        rho=0.9,
        momentum=0.0,
        epsilon=1e-7,
        weight_decay=0.0,
        multipliers=(),
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
        for name, value in (("rho", rho), ("momentum", momentum)):
            if not 0 <= value < 1:
                raise ValueError(f"RMSprop: {name} must be in [0, 1), received {value}")
        if not epsilon > 0:
            raise ValueError(f"RMSprop: epsilon must be greater than 0, received {epsilon}")
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
        self.rho = float(rho)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)

    def build(self, variables):
        """Creates the means and buffers of ``variables`` and resolves their factors."""
        if self.built:
            return
        super().build(variables)
        self._squares = self.add_optimizer_variables(variables, "velocity")
        self._buffers = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable from its gradient."""
        index = self._get_variable_index(variable)
        rate, decay = (
            ops.cast(learning_rate, variable.dtype) * self._rates[index],
            self._decays[index],
        )
        step = ops.cast(gradient, variable.dtype)
        if decay:
            step = ops.add(step, ops.multiply(variable, decay))
        if self.clipnorm:
            norm = ops.sqrt(ops.sum(ops.square(step)))
            step = step * (self.clipnorm / ops.maximum(norm, self.clipnorm))
        square = self.rho * self._squares[index] + (1 - self.rho) * ops.square(step)
        self.assign(self._squares[index], square)
        update = rate * step * ops.rsqrt(square + self.epsilon)
        buffer = self.momentum * self._buffers[index] + update
        self.assign(self._buffers[index], buffer)
        self.assign_sub(variable, buffer)

    def get_config(self):
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon}
        return {**super().get_config(), **own}

    def _clip(self, grads):
        """Leaves clipping by ``clipnorm`` to ``update_step``, which includes the decay."""
        return grads if self.clipnorm else super()._clip(grads)
