"""Frames, smaller videos, flow and audio from generated videos."""

import logging as standard_logging
import wave

import av
import numpy as np
import pytest
from absl import logging

from keras_video.data import FlowFrames, RawFrames, audio_of_video, open_video, read_audio
from keras_video.data.annotations.records import Record
from keras_video.data.prepare.audio import extract_features, extract_wav
from keras_video.data.prepare.flow import extract_flow, flow_function, quantized
from keras_video.data.prepare.frames import extract_frames, pairs_below
from keras_video.data.prepare.resizing import resize_video
from keras_video.data.sources.videos import Videos
from tests.cli.running import call
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.unit


def write_with_audio(path, frames, seconds=1.0, rate=16000):
    """Writes a video whose audio is a 440 Hz sine."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=25)
        video.height, video.width, video.pix_fmt = *frames[0].shape[:2], "yuv420p"
        audio = out.add_stream("aac", rate=rate, layout="mono")
        for image in frames:
            out.mux(video.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(video.encode())
        times = np.arange(int(seconds * rate)) / rate
        samples = (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
        frame.rate = frame.sample_rate = rate
        out.mux(audio.encode(frame))
        out.mux(audio.encode())
    return path


def test_frames_equal_those_of_the_video(tmp_path):
    path = write_video(tmp_path / "a.mp4", moving_gradient(6))
    assert extract_frames(path, tmp_path / "frames", "img_{:05}.png", start_index=0) == 6
    source = RawFrames("img_{:05}.png", start_index=0)
    frames = source.open(Record(str(tmp_path / "frames"), (0,))).read(np.arange(6)[None])
    np.testing.assert_array_equal(frames, open_video(path).read(range(6)))
    extract_frames(path, tmp_path / "small", short_side=24, quality=98)
    small = RawFrames().open(Record(str(tmp_path / "small"), (0,))).read(np.arange(6)[None])
    assert np.abs(small.astype(int) - open_video(path).read(range(6), 24)).mean() < 6


def test_smaller_videos_keep_frames_times_and_audio(tmp_path):
    path = write_with_audio(tmp_path / "a.mp4", moving_gradient(25, 96, 128))
    resize_video(path, tmp_path / "small.mp4", 48, keyframe_every=5)
    small = open_video(tmp_path / "small.mp4")
    assert small.total_frames == 25
    frames, expected = small.read(range(25)), open_video(path).read(range(25), 48)
    assert frames.shape == (25, 48, 64, 3)
    assert np.abs(frames.astype(int) - expected).mean() < 6
    with av.open(str(tmp_path / "small.mp4")) as copy, av.open(str(path)) as original:
        times = [
            [
                float(frame.pts * frame.time_base)
                for frame in container.decode(container.streams.video[0])
            ]
            for container in (copy, original)
        ]
    np.testing.assert_allclose(times[0], times[1], atol=1e-3)
    np.testing.assert_allclose(read_audio(tmp_path / "small.mp4"), read_audio(path), atol=1e-6)


def test_videos_are_not_enlarged_and_odd_sides_lose_one_pixel(tmp_path):
    path = write_video(tmp_path / "a.mkv", moving_gradient(3, 33, 47), "ffv1", pixels="bgr0")
    resize_video(path, tmp_path / "b.mp4", 256)
    assert open_video(tmp_path / "b.mp4").read([0]).shape == (1, 32, 46, 3)
    with pytest.raises(ValueError, match="received short_side=33"):
        resize_video(path, tmp_path / "c.mp4", 33)


def test_wav_files(tmp_path):
    path = write_with_audio(tmp_path / "a.mp4", moving_gradient(25))
    extract_wav(path, tmp_path / "a.wav", 8000)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (1, 8000, 2)
    samples = read_audio(tmp_path / "a.wav", 8000)
    strongest = np.abs(np.fft.rfft(samples[:8000])).argmax()
    assert abs(strongest - 440) <= 2
    assert samples.shape == (8000,)  # as long as the video, which AAC's last packet exceeds
    np.testing.assert_allclose(samples, audio_of_video(path, 8000), atol=1e-4)


def test_features(tmp_path):
    path = write_with_audio(tmp_path / "a.mp4", moving_gradient(25))
    extract_features(path, tmp_path / "a.npy")
    features = np.load(tmp_path / "a.npy")
    assert features.dtype == np.float32 and features.shape[1] == 80
    assert 60 <= len(features) <= 70 and features.min() >= 0 and features.max() <= 1
    # 440 Hz falls in a low band, and nothing else is loud.
    assert features[10:50].mean(axis=0).argmax() < 20


def test_quantized_flow():
    flow = np.array([-30, -20, -0.04, 0, 0.04, 20, 30])
    assert quantized(flow, 20).tolist() == [0, 0, 127, 128, 128, 255, 255]


class TestFlow:
    @pytest.fixture(autouse=True)
    def opencv(self):
        self.cv2 = pytest.importorskip("cv2")

    @pytest.mark.parametrize("method", ["tvl1", "farneback"])
    def test_direction_and_size_of_motion(self, method, tmp_path):
        if method == "tvl1" and not hasattr(self.cv2, "optflow"):
            pytest.skip("this OpenCV has no contributed modules")
        texture = np.random.default_rng(0).integers(0, 255, (80, 120, 3)).astype(np.uint8)
        texture = self.cv2.GaussianBlur(texture, (9, 9), 3)
        texture = self.cv2.normalize(texture, None, 0, 255, self.cv2.NORM_MINMAX)
        # The image moves three pixels to the right and one up per frame.
        frames = [texture[8 + n : 72 + n, 20 - 3 * n : 116 - 3 * n] for n in range(4)]
        path = write_video(tmp_path / "a.mkv", frames, "ffv1", pixels="bgr0")
        count = extract_flow(path, tmp_path / "flow", method=method)
        assert count == 3
        video = FlowFrames().open(Record(str(tmp_path / "flow"), (0,)))
        assert video.total_frames == 3
        inner = video.read([[0, 1, 2]])[:, 16:-16, 16:-16].astype(float)
        motion = np.median(inner * 40 / 255 - 20, axis=(0, 1, 2))
        np.testing.assert_allclose(motion, [3, -1], atol=0.4)

    def test_unknown_method(self):
        with pytest.raises(ValueError, match="received method='flow'"):
            flow_function("flow")

    def test_the_script(self, tmp_path, messages):
        folder(tmp_path / "videos")
        flags = ["--videos", tmp_path / "videos", "--out", tmp_path / "flow"]
        assert call("prepare flow", *flags, "--method", "farneback") == 1
        assert "bad.mp4: cannot decode" in messages.text
        assert len(list((tmp_path / "flow" / "one").glob("x_*.jpg"))) == 4


def folder(path):
    """Creates two videos, one with audio, and a file that is not a video."""
    (path / "deep").mkdir(parents=True)
    write_video(path / "one.avi", moving_gradient(5), "mpeg4")
    write_with_audio(path / "deep" / "two.mp4", moving_gradient(25))
    (path / "bad.mp4").write_bytes(b"no video" * 20)


def test_targets_mirror_the_video_folders(tmp_path):
    folder(tmp_path)
    pairs = pairs_below(tmp_path, "out", Videos().find, ".wav")
    assert [str(target) for _, target in pairs] == [
        "out/bad.wav",
        "out/deep/two.wav",
        "out/one.wav",
    ]
    (tmp_path / "one.mp4").write_bytes(b"")
    with pytest.raises(ValueError, match=r"received .*one\.avi and .*one\.mp4, which would both"):
        pairs_below(tmp_path, "out", Videos().find)
    with pytest.raises(ValueError, match="holds no files"):
        pairs_below(tmp_path, "out", lambda _: [])


@pytest.fixture
def messages(caplog):
    """The messages logged by absl."""
    logging.get_absl_logger().propagate = True
    with caplog.at_level(standard_logging.INFO, logger="absl"):
        yield caplog


def test_the_scripts_resume(tmp_path, messages):
    videos = tmp_path / "videos"
    folder(videos)
    for script, flags, target in (
        ("prepare frames", ["--short_side", "24"], "deep/two/img_00025.jpg"),
        ("prepare resized", ["--short_side", "24"], "deep/two.mp4"),
        ("prepare audio", [], "deep/two.wav"),
        ("prepare audio", ["--as", "features"], "deep/two.npy"),
    ):
        out = tmp_path / target.replace("/", "_")
        flags = ["--videos", videos, "--out", out, *flags]
        messages.clear()
        assert call(script, *flags) == 1
        assert (out / target).exists() and "bad.mp4: " in messages.text
        before = (out / target).stat().st_mtime_ns
        assert call(script, *flags) == 1
        kept = 1 if "audio" in script else 2
        assert f"0 created, {kept} reused, {3 - kept} failed" in messages.text
        assert (out / target).stat().st_mtime_ns == before


def test_no_failures(tmp_path, messages):
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4", moving_gradient(3))
    flags = ["--videos", tmp_path / "videos", "--out", tmp_path / "frames"]
    assert call("prepare frames", *flags) == 0
    assert "1 created, 0 reused, 0 failed" in messages.text
