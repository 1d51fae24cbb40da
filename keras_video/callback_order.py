"""Callback order: callbacks that read evaluation results run after the evaluation."""

import keras

_LOGGERS = (keras.callbacks.CSVLogger, keras.callbacks.TensorBoard)


def in_working_order(callbacks):
    """Callbacks reordered so that those that read the logs follow the last one that adds to them.

    Args:
        callbacks: as accepted by `fit`: a callback, a (nested) list of them, or a
            `keras.callbacks.CallbackList`, which is reordered in place.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.callbacks[:] = _ordered(callbacks.callbacks)
        return callbacks
    return _ordered(keras.tree.flatten(callbacks))


def _ordered(callbacks):
    writers = [
        index
        for index, callback in enumerate(callbacks)
        if getattr(callback, "adds_to_logs", False)
    ]
    if not writers:
        return list(callbacks)
    before, after = callbacks[: writers[-1] + 1], callbacks[writers[-1] + 1 :]
    readers = [callback for callback in before if reads_logs(callback)]
    return [*(callback for callback in before if callback not in readers), *readers, *after]


def reads_logs(callback):
    """Whether a callback acts on, or records, the logs of an epoch."""
    adds = getattr(callback, "adds_to_logs", False)
    return not adds and (hasattr(callback, "monitor") or isinstance(callback, _LOGGERS))
