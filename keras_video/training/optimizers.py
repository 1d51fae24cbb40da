"""Base of the optimizers with a rate and a decay per variable, and SGD as PyTorch does it."""

import dataclasses
import re

import keras
from keras import ops

NORMS = ("gamma", "beta")
# Vectors other than those of norms: biases, layer scales, and weights that blend two branches.
VECTORS = ("bias", "scale", r"[qv]_bias", r"gamma_[12]", "balance")
# Position embeddings, relative position tables, and learned tokens.
TABLES = (
    r"pos_embed(_\w+)?",
    "time_embed",
    r"(temporal_)?cls_token",
    "query_tokens",
    "mask_token",
    r"rel_pos_[thw]",
    "relative_position_bias_table",
)


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
    """An optimizer with a separate rate and decay for every variable.

    ``global_clipnorm`` is PyTorch's: gradients are multiplied by
    ``min(1, global_clipnorm / (norm of all gradients + 1e-6))``. With several replicas the norm is
    that of the summed gradient.

    Args:
        learning_rate: float or ``keras.optimizers.schedules.LearningRateSchedule``.
        weight_decay: factor of the weights.
        multipliers: sequence of ``Multiplier``; for each variable the first whose pattern
            matches applies.
        **options: see ``keras.optimizers.Optimizer``.

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
        self._reject_accumulation(getattr(self, "_distribution_strategy", None))

    def build(self, variables):
        """Resolves the factors of ``variables``."""
        if self.built:
            return
        for variable in variables:
            native = getattr(variable, "value", variable)
            self._reject_accumulation(getattr(native, "distribute_strategy", None))
        super().build(variables)
        factors = self._resolve_factors(variables)
        self._rates = tuple(rate for rate, _ in factors)
        self._decays = tuple(decay for _, decay in factors)

    def get_config(self):
        multipliers = [dataclasses.asdict(entry) for entry in self.multipliers]
        return {**super().get_config(), "multipliers": multipliers}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        multipliers = [Multiplier(**entry) for entry in config.get("multipliers", ())]
        return super().from_config({**config, "multipliers": multipliers}, custom_objects)

    def _resolve_factors(self, variables):
        """The rate factor and the decay of every variable."""
        return [self._factors(variable) for variable in variables]

    def _factors(self, variable):
        decay = self.weight_decay if self._use_weight_decay(variable) else 0.0
        for entry in self.multipliers:
            if re.search(entry.pattern, path_of(variable)):
                return float(entry.learning_rate), decay * entry.weight_decay
        return 1.0, decay

    def _apply_weight_decay(self, variables):
        """Does nothing: ``update_step`` applies the decay."""

    def _clip_gradients(self, grads):
        # TensorFlow sums gradients over replicas after this call; they are clipped afterwards.
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

    def _reject_accumulation(self, strategy):
        replicas = getattr(strategy, "num_replicas_in_sync", 1)
        if self.gradient_accumulation_steps and replicas > 1:
            raise ValueError(
                f"{type(self).__name__}: gradient_accumulation_steps="
                f"{self.gradient_accumulation_steps} does not work with {replicas} replicas. Omit "
                "it and use a larger batch, or train on one replica."
            )


def path_of(variable):
    """The path of a variable, or its name if it has none."""
    return getattr(variable, "path", variable.name)


def no_decay_pattern(norms=False, vectors=False, tables=False):
    """A pattern of the paths of variables without weight decay, `None` if all decay.

    Args:
        norms: exclude the scales and offsets of norms.
        vectors: exclude biases, layer scales and other learned factors.
        tables: exclude position embeddings, relative position tables and learned tokens.
    """
    names = [*NORMS * norms, *VECTORS * vectors, *TABLES * tables]
    return rf"/({'|'.join(names)})$" if names else None


@keras.saving.register_keras_serializable("keras_video")
class SGD(GroupedOptimizer):
    """Stochastic gradient descent as PyTorch does it.

    For every variable ``w`` with gradient ``g``::

        g = g * min(1, global_clipnorm / (norm of all gradients + 1e-6))
        g = g + weight_decay * w
        buffer = momentum * buffer + g
        w = w - learning_rate * buffer              (nesterov: g + momentum * buffer)

    Two things differ from ``keras.optimizers.SGD``: the decay goes through the momentum, and
    the learning rate stays outside the buffer, so a drop of the rate takes effect immediately.
    With several replicas the norm is that of the summed gradient.

    Args:
        learning_rate: float or ``keras.optimizers.schedules.LearningRateSchedule``.
        momentum: in [0, 1).
        nesterov: whether to use Nesterov momentum.
        weight_decay: factor of the weights added to the gradient.
        multipliers: sequence of ``Multiplier``; for each variable the first whose pattern
            matches applies.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency,
            loss_scale_factor, gradient_accumulation_steps, name: see
            ``keras.optimizers.Optimizer``.

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
        """Creates the momentum buffers of ``variables`` and resolves their factors."""
        if self.built:
            return
        super().build(variables)
        self._buffers = self.add_optimizer_variables(variables, "momentum") if self.momentum else []

    def update_step(self, gradient, variable, learning_rate):
        """Updates one variable from its gradient."""
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
