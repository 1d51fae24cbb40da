"""Batch norm statistics of a training with several workers."""

import keras


class SharedNormStatistics(keras.callbacks.Callback):
    """Averages the running statistics of batch norms over all workers at the end of an epoch.

    During an epoch each worker tracks its own batches. At its end, before the shared evaluation
    and before anything is saved, the workers take the mean: so the evaluated model is the saved
    one, and a run resumed from a backup equals an uninterrupted one. Frozen norms keep their
    statistics.

    Args:
        strategy: a `WorkersStrategy`.
    """

    def __init__(self, strategy):
        super().__init__()
        self._strategy = strategy

    def on_epoch_end(self, epoch, logs=None):
        variables = [
            variable
            for layer in self.model._flatten_layers(include_self=False)
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
            for variable in layer.non_trainable_variables
        ]
        if not variables:
            return
        values = [keras.ops.convert_to_numpy(variable) for variable in variables]
        means = self._strategy.mean_over_workers(values)
        for variable, mean in zip(variables, means, strict=True):
            variable.assign(mean)
