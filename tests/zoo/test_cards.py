"""The model cards say what the zoo says."""

from pathlib import Path

import pytest

from keras_video import applications, zoo
from keras_video.zoo import cards

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[2] / "applications"


def test_the_cards_are_those_that_are_made():
    made = cards.pages()
    # The one is made by benchmarks/export_table.py, the other is written by hand.
    others = {"export.md", "serving.md"}
    assert {path.name for path in FOLDER.glob("*.md")} - others == set(made)
    for name, text in made.items():
        stored = (FOLDER / name).read_text(encoding="utf-8")
        assert stored == text, f"run python -m keras_video.zoo.cards applications: {name} differs"


@pytest.mark.parametrize("family", zoo.families())
def test_a_card_has_every_row_its_weights_and_commands_that_exist(family):
    text = cards.card(family)
    for row in zoo.rows(family):
        assert f"`{row.name}` ({row.id})" in text
        assert all(each.url in text for each in row.checkpoints)
    facts = cards.FAMILIES[family]
    assert callable(getattr(applications, facts.constructor))
    example = cards.example(facts)
    assert example.kind == "example" and f"keras-video train --row {example.name}\n" in text
    assert f"arXiv:{facts.arxiv}" in text
    published = {row.constructor for row in zoo.rows(family)} - {None}
    assert published <= {facts.constructor}


def test_a_row_of_the_table():
    (line,) = (
        line for line in cards.card("tsm").splitlines() if line.startswith("| `tsm_r50_1x1x8_50e_s")
        and "(t32_r00)" in line
    )  # fmt: skip
    for cell in ("47.70 with 2 x 3 views", "75.02", "23.86 M", "1x1x8", "2 clips x 3 crops"):
        assert cell in line


def test_rows_of_other_projects_state_origin_and_license():
    (line,) = (line for line in cards.card("x3d").splitlines() if "(slowfast/x3d_l)" in line)
    assert line.endswith("| SlowFast repository | Apache-2.0 |")
    (line,) = (line for line in cards.card("x3d").splitlines() if "(t53_r00)" in line)
    assert line.endswith("| MMAction2 0.24.1 | - |")
    (line,) = (
        line for line in cards.card("videomae").splitlines()
        if "(mmaction2-1.2/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400)" in line
    )  # fmt: skip
    assert line.endswith("| MMAction2 1.2.0 | CC-BY-NC-4.0 |")
    assert "published by" not in cards.card("tanet")


def test_a_family_without_published_rows_says_so(monkeypatch):
    monkeypatch.setattr(cards, "rows", lambda *_, **kind: zoo.rows(**kind) if kind else ())
    text = cards.card("vivit")
    assert cards.filled(cards.NO_ROWS) in text
    assert 'keras_video.load("model.safetensors")' in text and "zoo.row(" not in text


def test_prose_is_filled_and_tables_are_not():
    assert cards.filled("a " * 80).count("\n") == 1
    assert cards.filled("| " + "a " * 80).count("\n") == 0


def test_the_command_writes_all_pages(tmp_path, capsys):
    assert cards.main([str(tmp_path / "cards")]) == 0
    assert len(list((tmp_path / "cards").iterdir())) == len(zoo.families()) + 1
    assert "pages in" in capsys.readouterr().out
