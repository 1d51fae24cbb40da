"""`python -m keras_video.zoo`."""

import subprocess
import sys

import pytest

from keras_video import zoo
from keras_video.zoo.__main__ import main, table


def test_command():
    done = subprocess.run(
        [sys.executable, "-m", "keras_video.zoo", "--family", "tsm", "--dataset", "sthv1"],
        check=True,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
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
    with pytest.raises(SystemExit) as stop:
        main(["--family", "tns"])
    assert stop.value.code == 2
    assert "Did you mean" in capsys.readouterr().err
