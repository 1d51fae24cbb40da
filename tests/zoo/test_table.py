"""The table of rows, and the command that prints it."""

from keras_video import zoo
from keras_video.cli.main import main
from keras_video.zoo.table import lines as table


def test_command(capsys):
    assert main(["zoo", "--family", "tsm", "--dataset=sthv1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"{len(zoo.rows('tsm', 'sthv1'))} rows"
    (line,) = (line for line in lines if line.startswith("t32_r00 "))
    for cell in (
        "tsm_r50_1x1x8_50e_sthv1_rgb", "TSM(backbone=resnet50, segments=8)", "23.86 M", "33.0 G",
        "45.58", "75.02", "1x1x8", "2 clips x 3 crops",
        zoo.row("t32_r00").checkpoint.file,
    ):  # fmt: skip
        assert cell in line


def test_every_row_has_a_line():
    lines = table(zoo.rows())
    assert len(lines) == 1 + len(zoo.rows())
    assert all(line.startswith(row.id) for line, row in zip(lines[1:], zoo.rows(), strict=True))
    (aggregate,) = (line for line in lines if line.startswith("t52_r06"))
    assert "mAP 52.60" in aggregate and "(aggregate)" in aggregate


def test_unknown_family(capsys):
    assert main(["zoo", "--family", "tns"]) == 1
    assert "Did you mean" in capsys.readouterr().err
