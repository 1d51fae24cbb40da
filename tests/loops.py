"""Combines many small checks into one test that runs all of them and reports every failure."""


def over(items, name=lambda item: item.id):
    """Turns a check with one argument into a test.

    Args:
        items: values to call the check with, one at a time.
        name: function that returns the name of an item for the failure report.
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

        # Not functools.wraps: pytest would take the check's argument for a fixture.
        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate
