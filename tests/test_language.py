"""Code and documents use American spelling and the terms of the field."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BRITISH = (
    r"factoris|synchronis|normalis|initialis|optimis(?!tic)|quantis|recognis|organis|colour|"
    r"behaviour|neighbour|centre|catalogue|licence|labelled|randomis|\bgrey\b|_grey\b|misspelt|artefact"
)
# Words to replace: audio features, temporal kernel size ("taps" is a key of fixtures), fusion
# points, untrusted input, audio.
EVERYDAY = r'\bhears?\b|\bheard|\bjunctions?\b|(?<!")\btaps\b|\bstrangers?\b|sound'
# Names of variables that do not say what they are.
VAGUE = {"one", "found", "wanted", "made", "judged"}
FOLDERS = (".ci", "benchmarks", "guides", "keras_video", "recipes", "tests")
TEXTS = (".py", ".pyi", ".md")


def lines_with(pattern, *folders):
    """The matching lines of code and documents, as `file:number: line`."""
    paths = list(ROOT.glob("*.md"))
    for folder in folders:
        paths += [path for path in (ROOT / folder).rglob("*") if path.suffix in TEXTS]
    lines = []
    for path in sorted(paths):
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(pattern, line, re.IGNORECASE):
                lines.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    return lines


def test_code_and_documents_are_searched():
    assert lines_with("^import keras$", "keras_video")
    assert lines_with("^# keras_video$")


def test_spelling_is_american():
    assert lines_with(BRITISH, "applications", *FOLDERS) == []


def test_the_package_uses_the_terms_of_the_field():
    assert lines_with(EVERYDAY, "applications", *FOLDERS) == []


def vague_names(code):
    """The names from `VAGUE` that code gives to variables and parameters."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
    return names & VAGUE


def test_vague_names_are_detected():
    code = "for one in []: pass\nf = lambda found: [made for made in found]\nwanted = one"
    assert vague_names(code) == {"one", "found", "made", "wanted"}
    assert vague_names("def found(name): return one") == set()


def test_variables_say_what_they_are():
    vague = {}
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            if names := vague_names(path.read_text(encoding="utf-8")):
                vague[str(path.relative_to(ROOT))] = sorted(names)
    assert vague == {}
