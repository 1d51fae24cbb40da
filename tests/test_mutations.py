"""The list of mutations matches the code that it changes."""

import pytest

from tests.mutations import MUTATIONS, ROOT

pytestmark = pytest.mark.unit


def test_names_are_unique():
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 40


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_replaced_text_occurs_exactly_once(mutation):
    text = (ROOT / "keras_video" / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1
    assert mutation.old != mutation.new
    assert all((ROOT / path).exists() for path in mutation.tests)
