import dataclasses
import threading

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from keras_video.data.decoding import frame_index
from keras_video.data.decoding import videos as decoding
from keras_video.data.decoding.videos import DecodeError, open_video
from tests.videos import moving_gradient, write_video

FORMATS = {
    "h264.mp4": {"bf": "3", "g": "10"},
    "h264_open_gop.mp4": {"x264-params": "open-gop=1:bframes=3:keyint=8:scenecut=0"},
    "h264_intra_refresh.mp4": {"x264-params": "intra-refresh=1:keyint=10:bframes=0"},
    "h264_one_group.mkv": {"bf": "2", "g": "300"},
    "h264.avi": {"bf": "2", "g": "10"},
    "h264.ts": {"bf": "2", "g": "10"},
    "h264_interlaced.mp4": {"x264-params": "interlaced=1:keyint=10"},
    "h264_raw.h264": {"bf": "2", "g": "10"},
    "hevc.mp4": {"codec": "libx265", "x265-params": "log-level=none:keyint=10:open-gop=1"},
    "mpeg4.avi": {"codec": "mpeg4", "g": "10"},
    "mpeg4_b_frames.avi": {"codec": "mpeg4", "bf": "2", "g": "10"},
    "mpeg4_b_frames.mp4": {"codec": "mpeg4", "bf": "2", "g": "10"},
    "vp8.webm": {"codec": "libvpx", "g": "10"},
    "vp8_hidden.webm": {"codec": "libvpx", "auto-alt-ref": "1", "lag-in-frames": "12", "g": "20"},
    "vp9.webm": {"codec": "libvpx-vp9", "lag-in-frames": "12", "g": "15", "cpu-used": "8"},
    "av1.mp4": {"codec": "libsvtav1", "g": "15", "preset": "12"},
    "mjpeg.mkv": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "mpeg2.mpg": {"codec": "mpeg2video", "bf": "2", "g": "9"},
    "ffv1.mkv": {"codec": "ffv1"},
    "picture.gif": {"codec": "gif", "pixels": "rgb8"},
    "wmv.wmv": {"codec": "wmv2", "g": "10"},
    "flv.flv": {"codec": "flv", "g": "10"},
}


def has_encoder(name):
    try:
        return bool(av.Codec(name, "w"))
    except ValueError:
        return False


@pytest.fixture(scope="module", autouse=True)
def quiet_encoders():
    """The AV1 encoder writes its settings to stderr unless disabled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SVT_LOG", "0")
        yield


def decoded_sequentially(path):
    """Every frame of a file, decoded sequentially."""
    reformatter = VideoReformatter()
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        frames = container.decode(video=0)
        return [reformatter.reformat(frame, format="rgb24").to_ndarray() for frame in frames]


def frame_requests(total, seed=0):
    """Frame requests: few and far apart, dense, repeated, unordered, single."""
    generator = np.random.default_rng(seed)
    return [
        np.linspace(0, total - 1, 4).astype(int),
        np.arange(total // 3, min(total // 3 + 5, total)),
        generator.integers(0, total, 7),
        np.array([total - 1, 0, total - 1]),
        np.array([total // 2]),
        np.arange(total),
    ]


def check_against_sequential_decode(path):
    expected = decoded_sequentially(path)
    video = open_video(path)
    assert video.total_frames == len(expected)
    for indices in frame_requests(len(expected)):
        read = video.read(indices)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, np.stack([expected[i] for i in indices]))
    return video


@pytest.mark.parametrize("name", FORMATS)
def test_frames_equal_a_sequential_decode(name, tmp_path):
    options = {"codec": "libx264", **FORMATS[name]}
    if not has_encoder(options["codec"]):
        pytest.skip(f"this build of FFmpeg has no {options['codec']} encoder")
    path = write_video(tmp_path / name, moving_gradient(40), **options)
    check_against_sequential_decode(path)


def test_odd_size(tmp_path):
    frames = moving_gradient(20, height=45, width=67)
    path = write_video(tmp_path / "odd.mkv", frames, pixels="yuv444p", g="7")
    check_against_sequential_decode(path)
    assert open_video(path).read([3]).shape == (1, 45, 67, 3)


def test_variable_frame_rate(tmp_path):
    times = np.cumsum(np.random.default_rng(1).integers(1, 9, 30))
    path = write_video(tmp_path / "v.mp4", moving_gradient(30), rate=50, times=times, g="8", bf="2")
    check_against_sequential_decode(path)


@pytest.mark.parametrize("pixels,codec", [("gray", "ffv1"), ("bgra", "ffv1"), ("rgb48le", "ffv1")])
def test_other_pixel_formats_are_converted_to_rgb(pixels, codec, tmp_path):
    frames = moving_gradient(6)
    path = write_video(tmp_path / "clip.mkv", frames, codec=codec, pixels=pixels)
    read = open_video(path).read([0, 5])
    assert read.shape == (2, 48, 64, 3)
    if pixels == "gray":
        np.testing.assert_array_equal(read[..., 0], read[..., 2])
    else:
        np.testing.assert_allclose(read, np.stack(frames)[[0, 5]].astype(int), atol=1)


def sequential_times(path):
    with av.open(str(path)) as container:
        return [float(frame.pts * frame.time_base) for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", ["h264.mp4", "h264.ts", "vp8_hidden.webm", "mpeg2.mpg", "flv.flv"])
def test_times_equal_those_of_the_decoded_frames(name, tmp_path):
    options = {"codec": "libx264", **FORMATS[name]}
    if not has_encoder(options["codec"]):
        pytest.skip(f"this build of FFmpeg has no {options['codec']} encoder")
    path = write_video(tmp_path / name, moving_gradient(40), **options)
    video = open_video(path)
    assert video.times.shape == (40,) and video.times.dtype == np.float64
    np.testing.assert_allclose(video.times, sequential_times(path), rtol=0, atol=1e-9)
    assert video.end_time - video.times[0] == pytest.approx(40 / 25, abs=0.05)


def test_times_of_a_variable_rate(tmp_path):
    ticks = np.cumsum(np.random.default_rng(1).integers(1, 9, 30))
    path = write_video(tmp_path / "v.mp4", moving_gradient(30), rate=50, times=ticks, g="8", bf="2")
    np.testing.assert_allclose(open_video(path).times, ticks / 50, atol=1e-9)


@pytest.mark.parametrize("name", ["mpeg4_b_frames.avi", "h264_raw.h264"])
def test_times_without_usable_timestamps_follow_the_average_rate(name, tmp_path):
    options = {"codec": "libx264", **FORMATS[name]}
    path = write_video(tmp_path / name, moving_gradient(40), **options)
    video = open_video(path)
    assert np.diff(video.times) == pytest.approx(1 / 25, abs=1e-3)
    assert video.end_time - video.times[0] == pytest.approx(40 / 25, abs=1e-3)


def test_a_clock_that_restarts_continues_where_the_old_one_ended(tmp_path):
    path = write_video(tmp_path / "a.ts", moving_gradient(40), g="10")
    path.write_bytes(path.read_bytes() * 2)
    with decoding.opened(str(path)) as (container, stream):
        index = frame_index.count(container, stream)
    assert index.total_frames == 80
    assert np.diff(index.times) == pytest.approx(1 / 25, abs=1e-3)


def remux(source, target, *, rotation=None, start=None):
    """Copies packets, with a display rotation, or an edit list that starts later than the data."""
    if not hasattr(av.VideoStream, "set_display_rotation"):
        pytest.skip("this release of PyAV does not copy all that a stream needs")
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        stream = reader.streams.video[0]
        copy = writer.add_stream_from_template(stream)
        if rotation:
            copy.set_display_rotation(rotation)
        for packet in reader.demux(stream):
            if packet.dts is None:
                continue
            if start is not None:
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
            packet.stream = copy
            writer.mux(packet)
    return target


def test_edit_list(tmp_path):
    frames = moving_gradient(30)
    plain = write_video(tmp_path / "plain.mp4", frames, g="12", bf="2")
    with av.open(str(plain)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
    edited = remux(plain, tmp_path / "edited.mp4", start=5 * packets[0].duration)
    video = check_against_sequential_decode(edited)
    assert video.total_frames == 25


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_applied(degrees, tmp_path):
    plain = write_video(tmp_path / "plain.mp4", moving_gradient(8))
    turned = remux(plain, tmp_path / "turned.mp4", rotation=degrees)
    expected = np.rot90(open_video(plain).read([0, 4]), degrees // 90, axes=(1, 2))
    np.testing.assert_array_equal(open_video(turned).read([0, 4]), expected)


def test_short_side(tmp_path):
    path = write_video(tmp_path / "clip.mp4", moving_gradient(5, height=48, width=80))
    video = open_video(path)
    assert video.read([0], short_side=24).shape == (1, 24, 40, 3)
    assert video.read([0], short_side=96).shape == (1, 96, 160, 3)
    np.testing.assert_array_equal(video.read([2], short_side=48), video.read([2]))


@pytest.mark.parametrize("index", [-1, 12, 1000])
def test_index_out_of_range(index, tiny_videos):
    with pytest.raises(
        DecodeError, match=rf"video0.mp4.*requested frame {index}; found 12"
    ) as caught:
        open_video(tiny_videos / "left" / "video0.mp4").read([0, index])
    assert (caught.value.requested_frame, caught.value.frame_count) == (index, 12)


def test_file_without_video(tmp_path):
    path = tmp_path / "audio.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        audio = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        audio.sample_rate = 8000
        container.mux(stream.encode(audio))
    with pytest.raises(DecodeError, match="audio.wav: it has no video stream"):
        open_video(path)


def test_unreadable_files(tmp_path, tiny_videos):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path, reason in (
        (empty, "empty"),
        (tmp_path / "absent.mp4", "No such file"),
        (tiny_videos / "bad.mp4", "Invalid data"),
        (tiny_videos, ""),
    ):
        with pytest.raises(DecodeError, match=f"{path.name}.*{reason}"):
            open_video(path)


@pytest.mark.parametrize("name", ["h264.mp4", "h264_one_group.mkv", "mpeg4.avi", "vp8.webm"])
@pytest.mark.parametrize("front", [False, True])
def test_truncated_file_is_an_error_or_read_correctly(name, front, tmp_path):
    options = {"codec": "libx264", **FORMATS[name]}
    if front and name.endswith("mp4"):
        options["movflags"] = "+faststart"
    path = write_video(tmp_path / name, moving_gradient(40), **options)
    expected = decoded_sequentially(path)
    content = path.read_bytes()
    for fraction in (0.1, 0.5, 0.9):
        path.write_bytes(content[: int(len(content) * fraction)])
        try:
            video = open_video(path)
            read = video.read(np.arange(video.total_frames))
        except DecodeError:
            continue
        assert not name.endswith("mp4")
        # The last frame may be truncated.
        for image, right in zip(read[:-1], expected, strict=False):
            np.testing.assert_array_equal(image, right)


def test_damaged_bytes_never_crash(tmp_path):
    path = write_video(tmp_path / "clip.mp4", moving_gradient(30), g="8", bf="2")
    content = np.frombuffer(path.read_bytes(), np.uint8)
    generator = np.random.default_rng(0)
    outcomes = set()
    for trial in range(60):
        damaged = content.copy()
        places = generator.integers(0, len(content), 20)
        damaged[places] = generator.integers(0, 256, 20)
        path = tmp_path / f"damaged{trial}.mp4"
        path.write_bytes(damaged.tobytes())
        try:
            video = open_video(path)
            frames = video.read(np.linspace(0, video.total_frames - 1, 8).astype(int))
            assert len(frames) == 8
            outcomes.add("read")
        except DecodeError as error:
            assert path.name in str(error)
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_wrong_index_falls_back_to_a_sequential_decode(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", moving_gradient(30), g="8", bf="2")
    expected = decoded_sequentially(path)
    index = decoding._make_index(str(path))
    shifted = dataclasses.replace(index, timestamps=index.timestamps + 1)
    monkeypatch.setattr(decoding, "_make_index", lambda *arguments: shifted)
    monkeypatch.setattr(decoding, "_indices", decoding.IndexCache(4))
    read = open_video(path).read([2, 20, 29])
    np.testing.assert_array_equal(read, np.stack([expected[i] for i in (2, 20, 29)]))


def test_index_follows_a_file_that_changes(tmp_path):
    path = write_video(tmp_path / "clip.mp4", moving_gradient(10))
    assert open_video(path).total_frames == 10
    write_video(path, moving_gradient(17, seed=3))
    assert open_video(path).total_frames == 17


def test_index_cache_is_bounded(tmp_path):
    cache = decoding.IndexCache(capacity=3)
    paths = [tmp_path / str(number) for number in range(5)]
    for path in paths:
        path.touch()
        cache.put(path, path.name)
    assert len(cache) == 3
    assert cache.get(paths[0]) is None and cache.get(paths[4]) == "4"


def test_tensorflow_can_use_frames_without_a_copy(tiny_videos):
    """TensorFlow shares the memory of arrays aligned to 64 bytes."""
    video = open_video(tiny_videos / "left" / "video0.mp4")
    for count in range(1, 9):
        frames = video.read(np.arange(count))
        assert frames.ctypes.data % 64 == 0
        assert frames.flags.c_contiguous


def test_threads_read_the_same_frames(tiny_videos):
    paths = sorted(tiny_videos.glob("*/video*.mp4"))
    expected = [open_video(path).read([1, 5, 9]) for path in paths]
    read = {}

    def work(number):
        for _ in range(5):
            read[number] = open_video(paths[number]).read([1, 5, 9])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(paths))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for number, frames in enumerate(expected):
        np.testing.assert_array_equal(read[number], frames)


def test_seeking_and_skipping_frames_save_work(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", moving_gradient(90), g="15", bf="3")
    frames_from, timestamps = decoding._frames_from, []

    def recording(*arguments):
        for frame in frames_from(*arguments):
            timestamps.append(frame.pts)
            yield frame

    monkeypatch.setattr(decoding, "_frames_from", recording)
    open_video(path).read([80, 81])
    assert 0 < len(timestamps) <= 10


@pytest.mark.slow(every_change=True)
def test_real_clips(real_clips):
    paths = sorted((real_clips / "samples").glob("*.mp4"))
    paths += sorted((real_clips / "samples").glob("*.avi"))
    paths += sorted((real_clips / "exercise_typing").glob("*/*.mp4"))[::24]
    assert paths
    for path in paths:
        check_against_sequential_decode(path)


@pytest.mark.parametrize(
    ("together", "counts"), [(1, [1, 1, 1, 1]), (48 * 64 * 3 * 3, [3, 1]), (2**22, [4])]
)
def test_few_full_size_frames_are_held_before_shrinking(together, counts, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "_SHRUNK_TOGETHER", together)
    path = write_video(tmp_path / "a.mp4", moving_gradient(9), bf="2", g="4")
    video, sizes = open_video(path), []

    def shrink(images):
        sizes.append(images.shape)
        return images[:, ::2, ::4]

    indices = [5, 1, 1, 8, 2]
    expected = video.read(indices)[:, ::2, ::4]
    np.testing.assert_array_equal(video.read(indices, shrink=shrink), expected)
    assert sizes == [(count, 48, 64, 3) for count in counts]


def test_delayed_frames_are_returned_without_further_packets(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mp4", moving_gradient(40), bf="3", g="20", refs="4")
    video, sent = open_video(path), []
    expected = video.read(range(40))
    demuxed = decoding.demuxed

    def counting(*arguments):
        for packet in demuxed(*arguments):
            sent.append(packet.pts)
            yield packet

    monkeypatch.setattr(decoding, "demuxed", counting)
    for indices in ([0], [17], [20, 39], [3, 23]):
        sent.clear()
        np.testing.assert_array_equal(video.read(indices), expected[indices])
        times = [round(pts * video._index.time_base * 25) for pts in sent]
        assert times[-1] in indices
        assert len(times) == len(set(times)) < 40
