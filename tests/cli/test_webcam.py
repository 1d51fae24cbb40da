"""`keras-video webcam` on a file that is played like a camera."""

import re
import signal
import subprocess
import time

import pytest

from keras_video import zoo
from keras_video.applications import TSN, MoViNet
from keras_video.cli.main import main
from keras_video.inference import LiveModel, Stream
from tests.cli.running import command_line, environment, start
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
    assert re.search(r"[\d.]+ fps, latency \d+ ms: \w.+ [01]\.\d+, \w.+ 0\.\d+", lines[0])
    frames, seconds, dropped = re.search(
        r"(\d+) frames in ([\d.]+) s .*, (\d+) dropped", lines[-1]
    ).groups()
    assert len(lines) - 1 == int(frames) >= 2
    assert 2 <= float(seconds) < 10
    # At 15 fps, each frame was scored, dropped or still queued.
    assert 28 <= int(frames) + int(dropped) <= 60


def test_a_missing_source_is_reported():
    run = start("webcam", "--camera=nowhere.mp4", "--weights=random", "--headless")
    assert run.returncode != 0
    assert "cannot decode nowhere.mp4" in run.stderr


@pytest.mark.slow(every_change=True)
def test_an_interruption_ends_with_the_summary(tmp_path):
    clip = write_video(tmp_path / "clip.mp4", moving_gradient(3000, 48, 64), rate=25)
    flags = [f"--camera={clip}", "--weights=random", "--headless"]
    with subprocess.Popen(
        command_line("webcam", *flags),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        # Background processes ignore interrupts by default.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert all("latency" in line for line in lines)
    count = int(re.search(r"\n(\d+) frames in [\d.]+ s .*latency \d+ ms", rest).group(1))
    assert 3 <= count < 3000
    assert errors.strip() == ""


@pytest.mark.slow(every_change=True)
def test_a_stream_row_keeps_its_state(tmp_path, monkeypatch, capsys):
    """The default row runs as a `Stream`, at the frame rate of its training."""
    clip = write_video(tmp_path / "clip.mp4", moving_gradient(30, 48, 64), rate=15)
    model = MoViNet(stream=True, input_shape=(8, 64, 64, 3), classes=600)
    model.preprocessing = zoo.row("movinet_a0_stream").preprocessing().facts()
    model.preprocessing["spatial"]["crop"]["size"] = 64
    chosen, calls = [], []

    def built(options, **overrides):
        chosen.append((options.row, overrides))
        return model

    class Watched(LiveModel):
        def __call__(self, image):
            calls.append((time.monotonic(), self._scorer))
            return super().__call__(image)

    monkeypatch.setattr("keras_video.cli.streaming.chosen_model", built)
    monkeypatch.setattr("keras_video.inference.live.LiveModel", Watched)
    assert main(["webcam", f"--camera={clip}", "--headless", "--averaged_frames=4"]) == 0
    assert chosen == [("movinet_a0_stream", {})]
    (scorer,) = {scorer for _, scorer in calls}
    assert isinstance(scorer, Stream) and scorer.frames == len(calls)
    assert 5 <= len(calls) <= 12  # two seconds at five fps
    assert f"{len(calls)} frames in" in capsys.readouterr().out


def test_a_row_of_tsm_is_run_online(monkeypatch, caplog):
    from keras_video.cli import streaming, webcam
    from keras_video.cli.main import module_flags

    row = "tsm_mobilenetv2_dense_1x1x8_100e_kinetics400_rgb"
    monkeypatch.setattr(streaming, "chosen_model", lambda options, **overrides: overrides)
    for flags, warned in (([], True), (["--weights=random"], False)):
        caplog.clear()
        options, _ = module_flags(webcam).parse("webcam", [f"--row={row}", *flags])
        assert streaming.streaming_model(options) == {"online": True}
        assert ("access to the next frame" in caplog.text) == warned


def test_a_clip_model_is_not_causal():
    from keras_video.inference.stream import is_causal

    assert is_causal(MoViNet(stream=True, input_shape=(4, 32, 32, 3)))
    assert not is_causal(MoViNet(input_shape=(4, 32, 32, 3)))
    assert not is_causal(TSN(backbone="resnet18", input_shape=(4, 32, 32, 3)))
