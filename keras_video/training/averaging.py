"""Evaluation of the moving average of the weights that the optimizer keeps (`use_ema`)."""

import keras


class AveragedWeights(keras.callbacks.Callback):
    """Runs other callbacks at the end of epochs with the averaged weights in the model.

    Training continues from its own weights, restored bit for bit. At the end of `fit` Keras leaves
    the averaged weights in the model. Batch norms keep their running statistics.

    Args:
        callbacks: those that evaluate and save the model, such as `MultiViewEvaluation` and
            `BestCheckpoint`.

    Raises:
        ValueError: when training begins, if the optimizer keeps no average.
    """

    def __init__(self, callbacks):
        super().__init__()
        self.callbacks = list(callbacks)

    @property
    def adds_to_logs(self):
        """Whether any of the callbacks adds to the logs; callbacks that read them run after it."""
        return any(getattr(callback, "adds_to_logs", False) for callback in self.callbacks)

    def set_model(self, model):
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params):
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def on_train_begin(self, logs=None):
        if not _inner(self.model.optimizer).use_ema:
            raise ValueError("AveragedWeights: the optimizer has use_ema=False, expected True")
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._swap()
        try:
            for callback in self.callbacks:
                callback.on_epoch_end(epoch, logs)
        finally:
            self._swap()

    def _swap(self):
        optimizer = _inner(self.model.optimizer)
        pairs = zip(
            optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True
        )
        for variable, average in pairs:
            value = keras.ops.convert_to_numpy(variable)
            variable.assign(keras.ops.convert_to_numpy(average))
            average.assign(value)


def _inner(optimizer):
    return getattr(optimizer, "inner_optimizer", optimizer)
