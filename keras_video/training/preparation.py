"""Freezing parts of a model before it is compiled."""

import re

from absl import logging

from keras_video.layers.freezing import batch_norms, every_layer, freeze
from keras_video.layers.frozen_stats_batch_norm import FrozenStatsBatchNormalization
from keras_video.layers.sub_batch_norm import with_norms


def freeze_batch_norm(model, except_first=False):
    """Freezes batch norms: they use their running statistics, and nothing of them is trained.

    Call it before ``compile``.

    Args:
        model: any Keras model; layers inside composite layers are included.
        except_first: keep training the first batch norm ("partial batch norm", TSN).

    Returns:
        Names of the frozen layers, in the order of the network.

    Raises:
        ValueError: if the model has no batch norm.
    """
    norms = batch_norms(model)
    if not norms:
        raise ValueError(f"freeze_batch_norm: model {model.name!r} has no BatchNormalization")
    return _freeze(model, norms[1:] if except_first else norms)


def hold_statistics(model):
    """Replaces batch norms by ones that keep their running statistics but learn scale and shift.

    Args:
        model: a functional model.

    Returns:
        A new model of the same class, not compiled, with the same names and weights.

    Raises:
        ValueError: if the model has no batch norm, or one inside a composite layer.
    """
    prepared = with_norms(model, FrozenStatsBatchNormalization.from_config)
    norms = batch_norms(prepared)
    others = [norm.name for norm in norms if not isinstance(norm, FrozenStatsBatchNormalization)]
    if others or not norms:
        raise ValueError(
            f"hold_statistics: expected batch norms that model {model.name!r} calls directly; of "
            f"{len(norms)} it does not call {', '.join(others) or 'any'}."
        )
    return prepared


def synchronize_batch_norm(model, synchronized=True):
    """Turns synchronization of batch norm statistics across the replicas of a strategy on or off.

    Call it before the model is first called in training. TensorFlow only.
    """
    for norm in batch_norms(model):
        norm.synchronized = synchronized


def freeze_stages(model, stages):
    """Freezes the stem and the first residual stages, norms included.

    Call it before ``compile``.

    Args:
        model: model whose layers are named ``conv1_*`` and ``layer1_*`` to ``layer4_*``, with
            a prefix ending in ``path_`` in two-pathway networks.
        stages: -1 freezes nothing, 0 the stem, n the stem and the first n stages.

    Returns:
        Names of the frozen layers, in the order of the network.

    Raises:
        ValueError: if the model has no layers of a stage to freeze.
    """
    if stages < -1:
        raise ValueError(f"freeze_stages: stages must be -1 or more, received {stages}")
    names = ["conv1", *(f"layer{number}" for number in range(1, stages + 1))]
    frozen = []
    for name in names if stages >= 0 else ():
        pattern = re.compile(rf"(.*path_)?{name}(_|$)")
        named = (layer for layer in every_layer(model) if pattern.match(layer.name))
        matched = [layer for layer in named if layer.weights]
        if not matched:
            raise ValueError(f"freeze_stages: model {model.name!r} has no layers named {name}_*")
        frozen += matched
    return _freeze(model, frozen)


def _freeze(model, layers):
    if getattr(model, "compiled", False):
        logging.warning("Model %r is already compiled: compile it again", model.name)
    freeze(layers)
    logging.info("Froze %d layers of model %r", len(layers), model.name)
    return [layer.name for layer in layers]
