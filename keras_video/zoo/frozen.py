"""An immutable dictionary."""


class FrozenDict(dict):
    """A dictionary that rejects changes; copies and `dataclasses.asdict` work."""

    def _reject_change(self, *_, **__):
        raise TypeError(f"{type(self).__name__} is immutable: convert it to a dict first.")

    __setitem__ = __delitem__ = __ior__ = _reject_change
    clear = pop = popitem = setdefault = update = _reject_change

    def __reduce__(self):
        # By default copies and pickles would set the entries one by one.
        return type(self), (dict(self),)
