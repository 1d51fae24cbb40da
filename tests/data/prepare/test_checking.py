import csv
import os
import re
import signal

import numpy as np
import pytest

from keras_video.data import RawFrames, VideoParts, Videos
from keras_video.data.annotations.records import Record
from keras_video.data.prepare.checking import check_records, write_report
from tests.cli.running import call
from tests.images import write_image
from tests.videos import moving_gradient, write_video


def test_bad_videos_are_named_with_their_lines(tiny_videos, tmp_path):
    good = write_video(tmp_path / "good.mp4", moving_gradient(30), g="10")
    data = good.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) - 400])
    places = np.random.default_rng(0).integers(len(data) // 3, len(data) // 2, 200)
    flipped = bytearray(data)
    for place in places:
        flipped[place] ^= 0xFF
    (tmp_path / "flipped.mp4").write_bytes(bytes(flipped))
    names = ("good", "cut", "flipped", "absent", "good", "cut")
    records = [
        Record(str(tmp_path / f"{name}.mp4"), (0,), "l", 1 + n) for n, name in enumerate(names)
    ]
    bad = check_records(records, workers=2, show_progress=False)
    assert [(example.path.rsplit("/", 1)[1], example.line) for example in bad] == [
        ("cut.mp4", 2),
        ("flipped.mp4", 3),
        ("absent.mp4", 4),
        ("cut.mp4", 6),
    ]
    write_report(bad, tmp_path / "bad.csv")
    with (tmp_path / "bad.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[2]["path"] == records[3].path and rows[2]["line"] == "4"
    assert "No such file" in rows[2]["reason"]


def test_every_frame_and_part_is_checked(tmp_path):
    frames = moving_gradient(40)
    for number, frame in enumerate(frames):
        write_image(tmp_path / "frames" / f"img_{number:05}.png", frame)
    (tmp_path / "frames" / "img_00036.png").write_bytes(b"no image")
    source = RawFrames("img_{:05}.png")
    (bad,) = check_records([Record(str(tmp_path / "frames"), (0,))], source, show_progress=False)
    assert "img_00036.png" in bad.reason
    (tmp_path / "long").mkdir()
    write_video(tmp_path / "long" / "part_0.mp4", frames[:4])
    (tmp_path / "long" / "part_1.mp4").write_bytes(b"no video")
    record = Record(str(tmp_path / "long"), (0,), parts=(0, 1))
    (bad,) = check_records([record], VideoParts(), show_progress=False)
    assert "part_1.mp4" in bad.reason


class Fickle:
    """A source of videos whose names determine what the decoder does."""

    def open(self, record, rng):
        if record.path.endswith("hangs.mp4"):
            # A single C call, which holds the GIL and ignores signals.
            re.match(r"(a+)+$", 60 * "a" + "b")
        if record.path.endswith("crashes.mp4"):
            os.kill(os.getpid(), signal.SIGSEGV)
        return Videos().open(record, rng)


def test_a_decoder_that_never_returns_or_crashes_is_a_bad_example(tmp_path):
    path = write_video(tmp_path / "good.mp4", moving_gradient(6))
    names = ("good", "hangs", "crashes", "good2", "absent")
    (tmp_path / "good2.mp4").write_bytes(path.read_bytes())
    records = [Record(str(tmp_path / f"{name}.mp4"), (0,), "l", n) for n, name in enumerate(names)]
    bad = check_records(records, Fickle(), workers=2, show_progress=False, time_limit=1)
    assert [example.line for example in bad] == [1, 2, 4]
    assert "hangs.mp4: decoding took over time_limit=1 s" in bad[0].reason
    assert "crashes.mp4: it crashes the decoder" in bad[1].reason and "SIGSEGV" in bad[1].reason
    assert "No such file" in bad[2].reason


@pytest.mark.parametrize("limit", [-1, float("nan"), float("inf")])
def test_invalid_limits_are_rejected(limit):
    with pytest.raises(ValueError, match=f"time_limit={limit}"):
        check_records([], time_limit=limit)


def test_the_script(tiny_videos, tmp_path, capsys):
    lines = (tiny_videos / "list.txt").read_text().splitlines()[:2]
    (tmp_path / "list.txt").write_text("\n".join([lines[0], "bad.mp4 1", lines[1]]))
    flags = ["--list", tmp_path / "list.txt", "--data_root", tiny_videos]
    assert call("check", *flags, "--out", tmp_path / "bad.csv") == 1
    printed = capsys.readouterr().out
    assert "1 of 3 examples failed to decode" in printed and "3/3" in printed
    line = (tmp_path / "bad.csv").read_text().splitlines()[1]
    assert "bad.mp4,2,cannot decode" in line
    flags = ["--folder", tiny_videos / "left", "--out", tmp_path / "none.csv"]
    assert call("check", *flags) == 0
    assert (tmp_path / "none.csv").read_text().splitlines() == ["path,line,reason"]
