"""Stochastic gradient descent with the semantics of ``torch.optim.SGD``."""

import re

import keras
from keras import ops

from keras_video.training.parameter_groups import GroupedOptimizer, Multiplier


@keras.saving.register_keras_serializable("keras_video")
class SGD(GroupedOptimizer):
    """Stochastic gradient descent as PyTorch does it.

    For every variable ``w`` with gradient ``g``::

        g = g * min(1, global_clipnorm / (norm of all gradients + 1e-6))
        g = g + weight_decay * w
        buffer = momentum * buffer + g
        w = w - learning_rate * buffer              (nesterov: g + momentum * buffer)

    Two things differ from ``keras.optimizers.SGD``: the decay goes through the momentum, and
    the learning rate stays outside the buffer, so a drop of the rate acts at once. With several
    replicas the norm is that of the summed gradient.

    Args:
        learning_rate: float or ``keras.optimizers.schedules.LearningRateSchedule``.
        momentum: in [0, 1).
        nesterov: look ahead along the momentum.
        weight_decay: factor of the weights added to the gradient.
        multipliers: sequence of ``Multiplier``; for each variable the first whose pattern
            matches counts.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: what every Keras optimizer takes.

    Raises:
        ValueError: for values out of range, and for gradient accumulation with more than one
            replica.
    """

    def __init__(
        self,
        learning_rate,
        momentum=0.9,
        nesterov=False,
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
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum must be in [0, 1), received {momentum}")
        if nesterov and not momentum:
            raise ValueError("SGD: nesterov needs a momentum greater than 0, received 0")
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
        self.momentum = float(momentum)
        self.nesterov = bool(nesterov)

    def build(self, variables):
        """Creates the momentum buffers of ``variables`` and settles their factors."""
        if self.built:
            return
        super().build(variables)
        self._buffers = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable along its gradient."""
        index = self._get_variable_index(variable)
        rate = ops.cast(learning_rate, variable.dtype) * self._rates[index]
        step = ops.cast(gradient, variable.dtype)
        if self._decays[index]:
            step = ops.add(step, ops.multiply(variable, self._decays[index]))
        if self.momentum:
            buffer = ops.add(ops.multiply(self._buffers[index], self.momentum), step)
            self.assign(self._buffers[index], buffer)
            step = ops.add(step, ops.multiply(buffer, self.momentum)) if self.nesterov else buffer
        self.assign_sub(variable, ops.multiply(step, rate))

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


def tsm_multipliers(fc_lr5=True, classifier="fc_cls"):
    """Parameter groups of "TSM: Temporal Shift Module" (arXiv:1811.08383), for ``SGD``.

    Biases learn at twice the rate without decay, norms do not decay. With ``fc_lr5`` the kernel
    of the classifier learns at 5 times the rate, its bias at 10 times without decay.

    Args:
        fc_lr5: whether the classifier learns faster (TSM, TIN and TANet do, TRN does not).
        classifier: name of the classifier's layer.

    Returns:
        Tuple of ``Multiplier``.
    """
    layer = rf"(^|/){re.escape(classifier)}"
    fast = (
        Multiplier(rf"{layer}/kernel$", learning_rate=5.0),
        Multiplier(rf"{layer}/bias$", learning_rate=10.0, weight_decay=0.0),
    )
    return (fast if fc_lr5 else ()) + (
        Multiplier(r"/(gamma|beta)$", weight_decay=0.0),
        Multiplier(r"/bias$", learning_rate=2.0, weight_decay=0.0),
    )
