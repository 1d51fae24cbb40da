"""`keras-video benchmark` on the smallest row."""

import json

import pytest

from tests.cli.running import start


@pytest.mark.slow
def test_every_variant_has_a_speed(tmp_path):
    run = start(
        "benchmark",
        "--row=tsn_r18_1x1x4_moving_shapes",
        "--view_count=2",
        "--seconds=0.1",
        f"--json={tmp_path}/speed.json",
    )
    assert run.returncode == 0, run.stderr[-3000:]
    (speeds,) = json.loads((tmp_path / "speed.json").read_text()).values()
    forms = ("", ", folded", ", folded, frozen")
    variants = [dtype + form for dtype in ("float32", "bfloat16") for form in forms]
    assert list(speeds) == [*variants[:3], "float32, folded, winograd, frozen", *variants[3:]]
    for variant, speed in speeds.items():
        assert speed["videos_per_second"] > 0
        assert speed["fastest"] <= 1 / speed["videos_per_second"] <= speed["slowest"]
        assert f"{variant:33} {speed['videos_per_second']:8.3f} videos/s" in run.stdout
