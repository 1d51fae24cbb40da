import shutil

import pytest

from tests.data import damage_survey


@pytest.mark.slow
def test_what_a_check_detects_in_damaged_videos(tmp_path):
    """Damage that leaves a stream valid (a changed image byte, a later start) goes undetected."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("there is no program ffmpeg")
    rows = damage_survey.survey(tmp_path, trials=1)
    text = "\n".join(damage_survey.table(rows))
    assert len(rows) > 70, text
    undetected = [row[:3] for row in rows if not row[3] and row[1] != "head cut"]
    assert {outcome for _, _, outcome in undetected} <= {"exact", "wrong pixels"}, text
    pixels = [bool(row[3]) for row in rows if row[2] == "wrong pixels"]
    assert sum(pixels) > 0.65 * len(pixels), text
