"""One test for many small checks: it runs all of them and names every one that fails."""


def over(items, name=lambda item: item.id):
    """Makes a test of a check with one argument.

    Args:
        items: what the check is called with, one after another.
        name: function from an item to how the failure calls it.
    """
    items = list(items)

    def decorate(check):
        def test():
            assert items
            failures = []
            for item in items:
                try:
                    check(item)
                except Exception as error:  # noqa: BLE001
                    failures.append(f"{name(item)}: {type(error).__name__}: {error}")
            shown = "\n".join(failures[:20])
            assert not failures, f"{len(failures)} of {len(items)}\n{shown}"

        # Not functools.wraps: pytest would look for a fixture of the check's argument.
        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate
