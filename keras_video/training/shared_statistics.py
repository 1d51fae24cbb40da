"""Batch norm statistics of a training by several workers."""

import keras


class SharedNormStatistics(keras.callbacks.Callback):
    """Gives every worker the mean over all workers of batch norms' running statistics.

    During an epoch each worker follows its own batches. At the end, before an evaluation that all
    share and before anything is saved, they take the mean: so what is evaluated is what is saved,
    and a run that goes on from a backup is as if it had not been broken off. Frozen norms keep
    their statistics.

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
