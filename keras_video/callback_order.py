"""The order of callbacks: those that read an evaluation's figures come after it."""

import keras

_LOGGERS = (keras.callbacks.CSVLogger, keras.callbacks.TensorBoard)


def in_working_order(callbacks):
    """Callbacks with those that read the logs behind the last one that adds to them.

    Args:
        callbacks: as `fit` takes them: a callback, a list of them (also nested), or a
            `keras.callbacks.CallbackList`, whose own list is then put in order.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.callbacks[:] = _ordered(callbacks.callbacks)
        return callbacks
    return _ordered(keras.tree.flatten(callbacks))


def _ordered(callbacks):
    adding = [place for place, one in enumerate(callbacks) if getattr(one, "adds_to_logs", False)]
    if not adding:
        return list(callbacks)
    before, behind = callbacks[: adding[-1] + 1], callbacks[adding[-1] + 1 :]
    readers = [one for one in before if reads_logs(one)]
    return [*(one for one in before if one not in readers), *readers, *behind]


def reads_logs(callback):
    """Whether a callback acts on, or writes down, what is in the logs of an epoch."""
    adds = getattr(callback, "adds_to_logs", False)
    return not adds and (hasattr(callback, "monitor") or isinstance(callback, _LOGGERS))
