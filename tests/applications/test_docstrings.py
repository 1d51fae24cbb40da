"""What `help()` shows of the constructors."""

import ast
import inspect
import re

import pytest

from keras_video import applications
from keras_video.applications.docstrings import SHARED, documented

pytestmark = pytest.mark.unit

CONSTRUCTORS = [
    getattr(applications, name)
    for name in applications.__all__
    if inspect.isfunction(getattr(applications, name))
]
COMMON = ["include_top", "weights", "input_tensor", "input_shape", "pooling", "classes"]
COMMON += ["classifier_activation", "name"]


def test_every_argument_is_documented_in_signature_order():
    assert len(CONSTRUCTORS) > 25
    for constructor in CONSTRUCTORS:
        parameters = list(inspect.signature(constructor).parameters)
        assert parameters[:8] == COMMON, constructor.__name__
        text = inspect.getdoc(constructor)
        arguments = text.partition("\nArgs:\n")[2].partition("\n\n")[0]
        entries = re.findall(r"^    (\w[\w, ]*):", arguments, re.MULTILINE)
        names = [name for entry in entries for name in entry.split(", ")]
        assert names == parameters, constructor.__name__
        for section in ("Args:", "Returns:", "Raises:"):
            assert text.count(f"\n\n{section}\n") == 1, (constructor.__name__, section)


def test_signatures_are_explicit_for_editors():
    for constructor in CONSTRUCTORS:
        tree = ast.parse(inspect.getsource(inspect.getmodule(constructor)))
        defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        arguments = defined[constructor.__name__].args
        written = [argument.arg for argument in (*arguments.args, *arguments.kwonlyargs)]
        assert written == list(inspect.signature(constructor).parameters)
        assert arguments.vararg is None and arguments.kwarg is None


@pytest.mark.parametrize("name", SHARED)
def test_shared_text_is_not_repeated(name):
    sources = [inspect.getsource(constructor) for constructor in CONSTRUCTORS]
    assert not [text for text in sources if f"        {name}: {SHARED[name]}\n" in text]


def test_text_of_a_constructor_takes_precedence():
    @documented
    def network(include_top=True, weights=None, classes=4, name="x", *, depth=3, width=2):
        """A network.

        Args:
            weights: only files,
                over two lines.
            depth, width: of the body.

        Raises:
            ValueError: never.
        """

    arguments, returned, raised = network.__doc__.split("\n\n")[1:]
    assert arguments == (
        "Args:\n"
        "    include_top: whether to include the classification head.\n"
        "    weights: only files,\n        over two lines.\n"
        "    classes: number of classes.\n"
        "    name: name of the model.\n"
        "    depth, width: of the body."
    )
    assert returned.startswith("Returns:\n    A `keras.Model`")
    assert raised == "Raises:\n    ValueError: never."
