"""A dictionary that does not change."""


class FrozenDict(dict):
    """A dictionary without the methods that change one; copies and `dataclasses.asdict` work."""

    def _refuse(self, *_, **__):
        raise TypeError(f"{type(self).__name__} does not change: make a dict of it first.")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self):
        # Otherwise copies and pickles would set one entry after the other.
        return type(self), (dict(self),)
