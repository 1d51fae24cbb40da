"""Precise batch norm: statistics averaged over batches instead of tracked by a running mean."""

import keras
from absl import logging

from keras_video.layers.drop_pathway import DropPathway


class PreciseBatchNorm(keras.callbacks.Callback):
    """Replaces the running statistics of batch norms by their mean over batches.

    The mean over batches of each batch's own statistics, all under the current weights, is better
    than a running mean that includes statistics of old weights (arXiv:2105.07576). It is computed
    before the validation of an epoch. Frozen norms are left unchanged.

    Args:
        dataset: batches as passed to `fit`, `(clips, ...)` or clips alone; read from the start
            every time.
        iterations: maximum number of batches.
        interval: epochs between computations; always after the last epoch.
    """

    def __init__(self, dataset, iterations=200, interval=1):
        super().__init__()
        if iterations < 1 or interval < 1:
            raise ValueError(
                "PreciseBatchNorm: iterations and interval must be at least 1, received "
                f"iterations={iterations}, interval={interval}"
            )
        self.dataset = dataset
        self.iterations = iterations
        self.interval = interval
        self._epoch = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_test_begin(self, logs=None):
        self._compute_once()

    def on_epoch_end(self, epoch, logs=None):
        self._compute_once()

    def _compute_once(self):
        """Computes once per epoch: before its validation, or at its end if there is none."""
        if self._epoch is None:
            return
        epoch, self._epoch = self._epoch + 1, None
        if epoch % self.interval == 0 or epoch == self.params.get("epochs"):
            precise_statistics(self.model, self.dataset, self.iterations)


def precise_statistics(model, dataset, iterations=200):
    """Sets the statistics of every trained batch norm to their mean over batches.

    Several workers take the mean over the batches of all workers. Meanwhile no pathway is dropped,
    as at inference: the inputs of the norms after a `DropPathway` differ in steps that drop it.

    Args:
        model: a built model.
        dataset: batches `(clips, ...)` or clips alone.
        iterations: maximum number of batches.

    Raises:
        ValueError: if the dataset is empty.
    """
    layers = list(model._flatten_layers(include_self=False))
    norms = [
        layer
        for layer in layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not norms:
        return
    variables = [variable for norm in norms for variable in norm.non_trainable_variables]
    others = [v for v in model.non_trainable_variables if not any(v is own for own in variables)]
    saved = [keras.ops.convert_to_numpy(variable) for variable in others]
    momenta = [norm.momentum for norm in norms]
    pathways = [(layer, layer.rate) for layer in layers if isinstance(layer, DropPathway)]
    means, count = [0.0] * len(variables), 0
    try:
        for norm in norms:
            norm.momentum = 0.0  # makes the running statistics those of the last batch
        for pathway, _ in pathways:
            pathway.rate = 0
        for batch in dataset:
            model(batch[0] if isinstance(batch, (tuple, list)) else batch, training=True)
            count += 1
            for index, variable in enumerate(variables):
                value = keras.ops.convert_to_numpy(variable)
                means[index] = means[index] + (value - means[index]) / count
            if count == iterations:
                break
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for pathway, rate in pathways:
            pathway.rate = rate
    if not count:
        raise ValueError("precise_statistics: the dataset yielded no batch.")
    strategy = getattr(model, "distribute_strategy", None)  # of the TensorFlow backend
    if hasattr(strategy, "mean_over_workers"):  # `distribution.py` needs TensorFlow
        means = strategy.mean_over_workers(means)
    for variable, value in zip((*variables, *others), (*means, *saved), strict=True):
        variable.assign(value)
    logging.info("Precise batch norm: %d norms over %d batches.", len(norms), count)
