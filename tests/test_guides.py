"""The guides: their pages, and whether the names in them exist. CI runs the scripts."""

import ast
import contextlib
import dataclasses
import importlib.util
import inspect
import re
import shlex
import typing
from pathlib import Path

import pytest

import keras_video
from keras_video import zoo
from keras_video.cli import main as cli

ROOT = Path(__file__).parents[1]
MODEL = keras_video.VideoModel
ROOTS = ("data", "zoo", "training", "inference", "applications", "layers", "weights")


def load_guides():
    spec = importlib.util.spec_from_file_location("guides", ROOT / ".ci" / "guides.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GUIDES = load_guides()
PATHS = sorted((ROOT / "guides").glob("*.py"))
DOCUMENTS = {
    "README": (ROOT / "README.md").read_text(encoding="utf-8"),
    **{path.stem: GUIDES.page(path) for path in PATHS},
}
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text, language):
    return [code for kind, code in BLOCK.findall(text) if kind == language]


def spans(text):
    """The inline code in sentences and tables."""
    return re.findall(r"`([^`\n]+)`", BLOCK.sub("", text))


def test_every_guide_is_listed_once_and_has_a_page():
    index = (ROOT / "guides" / "README.md").read_text(encoding="utf-8")
    assert len(PATHS) == 10
    for path in PATHS:
        assert index.count(f"({path.name})") == 1
        assert DOCUMENTS[path.stem].startswith("# ")
        assert re.search(rf"\[{re.escape(DOCUMENTS[path.stem].split(chr(10))[0][2:])}\]", index)
    assert [path.stem for path in GUIDES.guides()][0] == "quick_start"


def test_a_page_is_generated_from_the_script(tmp_path):
    path = tmp_path / "guide.py"
    path.write_text(
        '"""Title\n\nWords.\n"""\n\n# %% [markdown]\n# ## Part\n#\n# Text\n\n# %%\nx = 1\n'
    )
    assert GUIDES.cells(path) == [
        ("markdown", "# Title\n\nWords."),
        ("markdown", "## Part\n\nText"),
        ("code", "x = 1"),
    ]
    path.write_text('"""Title"""\nx = 1\n')
    with pytest.raises(ValueError, match=r"guide.py:2: expected a cell"):
        GUIDES.cells(path)
    path.write_text('"""Title"""\n# %% [markdown]\nx = 1\n')
    with pytest.raises(ValueError, match=r"guide.py:3: received 'x = 1' in a text cell"):
        GUIDES.cells(path)
    path.write_text("x = 1\n")
    with pytest.raises(ValueError, match="expected a docstring"):
        GUIDES.cells(path)


def test_the_notebook_matches_the_quick_start():
    stored = (ROOT / "guides" / "quick_start.ipynb").read_text(encoding="utf-8")
    generated = GUIDES.notebook(ROOT / "guides" / "quick_start.py")
    assert stored == generated, "run python .ci/guides.py"


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    import json

    monkeypatch.chdir(tmp_path)
    notebook = json.loads((ROOT / "guides" / "quick_start.ipynb").read_text(encoding="utf-8"))
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["loaded"].class_names == names["train"].class_names


# Names in the text.


def resolved(name):
    """The object that a dotted name of the package refers to; `None` for other names."""
    first, *rest = name.split(".")
    if first == "keras_video":
        value = keras_video
    elif first in ROOTS:
        value = getattr(keras_video, first)
    elif first == "model":
        value = MODEL
    elif first == "row":
        return row_field(rest)
    else:
        return None
    for part in rest:
        value = getattr(value, part)
    return value


def row_field(names):
    """The class of a row's field, possibly nested, or a property or method."""
    kind = zoo.Row
    for name in names:
        fields = {field.name for field in dataclasses.fields(kind)}
        if name not in fields:
            return getattr(kind, name)
        kind = kind_of(kind, name)
    return kind


def kind_of(kind, name):
    """The dataclass in a field's type hint, such as `Phases` for `Phases[Sampling] | None`."""
    hint = typing.get_type_hints(kind)[name]
    for choice in typing.get_args(hint) or (hint,):
        origin = typing.get_origin(choice) or choice
        if dataclasses.is_dataclass(origin):
            return origin
    return hint


def check_arguments(value, names, where):
    if not names:
        return
    parameters = inspect.signature(value).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    unknown = set(names) - set(parameters)
    assert takes_any or not unknown, (
        f"{where}: received {unknown}, expected some of {list(parameters)}"
    )


CALL = re.compile(r"([a-z_]+(?:\.\w+)+)(?:\((.*)\))?", re.DOTALL)


@pytest.mark.parametrize("name", [path.stem for path in PATHS])
def test_names_in_sentences_and_tables_exist(name):
    checked = 0
    for span in spans(DOCUMENTS[name]):
        match = CALL.fullmatch(span)
        if not match or match[1].endswith((".keras", ".npz", ".py", ".ipynb", ".mp4", ".eval")):
            continue
        value = resolved(match[1])
        if value is None or ").model(" in span:
            continue
        check_arguments(value, re.findall(r"(\w+)=", match[2] or ""), span)
        checked += 1
    least = {"from_mmaction2": 60, "from_torchvision_and_pytorchvideo": 30}
    assert checked >= least.get(name, 0)


def flags_of(command):
    module = importlib.import_module(cli._module(command))
    return set(cli.module_flags(module).names())


def check_command(words, where):
    """Checks that a command, or the beginning of one, and its flags exist."""
    words = words[1:]
    if not words or not re.fullmatch(r"[a-z-]+", words[0]):
        return
    name = " ".join(words[:2]) if words[0] == "prepare" else words[0]
    assert name in cli._names(), f"{where}: no command {name}"
    flags = {word.lstrip("-").partition("=")[0] for word in words if word.startswith("--")}
    unknown = {flag for flag in flags - {"help"} if flag.removeprefix("no") not in flags_of(name)}
    unknown -= flags_of(name)
    assert not unknown, f"{where}: {name} has no {unknown}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_have_the_documented_flags(name):
    text = DOCUMENTS[name]
    lines = [line for code in blocks(text, "sh") for line in code.replace("\\\n", " ").split("\n")]
    for line in [*lines, *spans(text)]:
        if line.startswith("keras-video "):
            check_command(shlex.split(line, comments=True), line)
    table = re.findall(r"^\|.*\|$", BLOCK.sub("", text), re.MULTILINE)
    ours = [line.split("|", 2)[2] for line in table]  # the first column is another project's
    for flag in re.findall(r"`--(\w+)`", "\n".join(ours)):
        assert flag in flags_of("train"), flag


@pytest.mark.parametrize("name", DOCUMENTS)
def test_calls_have_the_documented_arguments(name):
    for code in blocks(DOCUMENTS[name], "python"):
        for call in ast.walk(ast.parse(code)):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            dotted = ast.unparse(call.func)
            if not re.fullmatch(r"[\w.]+", dotted) or dotted.startswith(("row.", "model.")):
                continue
            names = [keyword.arg for keyword in call.keywords if keyword.arg]
            with contextlib.suppress(ValueError):  # no signature
                value = resolved(dotted)
                if value is not None:
                    check_arguments(value, names, dotted)


def marked(name, language):
    """The code block of README.md after a mark."""
    text = DOCUMENTS["README"].partition(f"<!-- {name} -->\n")[2]
    return blocks(text, language)[0]


def test_readme_snippets_match_the_guide():
    lines = marked("eight-lines", "python")
    assert len([line for line in lines.split("\n") if line.strip()]) == 8
    assert lines in DOCUMENTS["fine_tuning"]
    assert "model.fit(train, validation_data=test" in lines
    command = marked("one-command", "sh")
    assert command in DOCUMENTS["fine_tuning"]
    assert "--data clips" in command and "--export" in command


def test_the_first_image_is_one_of_our_charts():
    first = re.search(r"!\[.*?\]\((.*?)\)", DOCUMENTS["README"])[1]
    assert first == "applications/pictures/accuracy_cost.png"
    assert (ROOT / first).is_file()


def test_faq_messages_are_raised(tmp_path, monkeypatch):
    """Checks the messages that need no training; CI runs the whole script."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "guides" / "faq.py").read_text(encoding="utf-8")
    quick, training, slow = text.partition("# ## Training\n")
    assert training and quick.count("error(") > 12 and slow.count("error(") >= 3
    exec(compile(quick, "faq.py", "exec"), {"__name__": "faq"})


def test_a_wrong_faq_message_is_detected():
    text = (ROOT / "guides" / "faq.py").read_text(encoding="utf-8")
    names = {}
    start = text.index("import contextlib")
    exec(text[start : text.index("data.make_moving_shapes")], names)
    with names["error"]("lost"):
        raise ValueError("the key is lost")
    with pytest.raises(AssertionError, match="expected 'found'"), names["error"]("found"):
        raise ValueError("the key is lost")
    with pytest.raises(AssertionError, match="no error, expected"), names["error"]("found"):
        pass
