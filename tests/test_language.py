"""Code and documents use American spelling and the terms of the field."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BRITISH = (
    r"factoris|synchronis|normalis|initialis|optimis(?!tic)|quantis|recognis|organis|colour|"
    r"behaviour|neighbour|centre|catalogue|licence|labelled|randomis|\bgrey\b|_grey\b|misspelt|artefact"
)
# Words to replace: audio features, temporal kernel size, fusion points, untrusted input.
EVERYDAY = r"\bhears?\b|\bheard|\bjunctions?\b|\btaps\b|\bstrangers?\b"
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
    folders = (".ci", "applications", "benchmarks", "guides", "keras_video", "recipes", "tests")
    assert lines_with(BRITISH, *folders) == []


def test_the_package_uses_the_terms_of_the_field():
    assert lines_with(EVERYDAY, "keras_video", "recipes", "guides") == []
