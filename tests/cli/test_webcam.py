"""The webcam recipe on a file that plays like a camera."""

import re

import pytest

from tests.cli.running import start
from tests.videos import moving_gradient, write_video


@pytest.mark.slow(every_change=True)
def test_scores_latency_and_rate_are_printed(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", moving_gradient(60, 96, 128), rate=15)
    run = start(
        "webcam",
        f"--camera={clip}",
        "--weights=random",
        "--headless",
        "--rate=0",
        "--seconds=2",
        "--top=2",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    lines = [line for line in run.stdout.splitlines() if "latency" in line]
    assert re.search(
        r"[\d.]+ frames a second, latency \d+ ms: \w.+ [01]\.\d+, \w.+ 0\.\d+", lines[0]
    )
    frames, seconds, dropped = re.search(
        r"(\d+) frames in ([\d.]+) s .*, (\d+) dropped", lines[-1]
    ).groups()
    assert len(lines) - 1 == int(frames) >= 2
    assert 2 <= float(seconds) < 10
    # 15 frames a second have come, and each was scored or dropped, or was waiting.
    assert 28 <= int(frames) + int(dropped) <= 60


def test_a_source_that_is_missing_is_named():
    run = start("webcam", "--camera=nowhere.mp4", "--weights=random", "--headless")
    assert run.returncode != 0
    assert "cannot decode nowhere.mp4" in run.stderr
