"""Streams whose packets do not determine which frames the decoder outputs."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from keras_video.data import frames_in_order, open_video
from keras_video.data.decoding.packets import shown_frames
from keras_video.data.prepare.checking import check_video
from tests.videos import moving_gradient, write_video

pytestmark = pytest.mark.unit


def check_alone(path, total):
    """Checks frames, read alone and together, against a sequential decode; returns the video."""
    video = open_video(path)
    assert video.total_frames == total
    frames = [frame for _, frame in frames_in_order(path)]
    assert len(frames) == total
    assert video.times.shape == (total,) and (np.diff(video.times) > 0).all()
    for index in (total - 1, total // 2, 1, total // 3):
        np.testing.assert_array_equal(video.read([index])[0], frames[index])
    np.testing.assert_array_equal(video.read(np.arange(total)), frames)
    return video


def decoded_by_pyav(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def cut_front(path, fraction=1 / 3, unit=188):
    data = path.read_bytes()
    path.write_bytes(data[int(len(data) * fraction) // unit * unit :])
    return path


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_stream_that_begins_inside_a_group_of_pictures(codec, tmp_path):
    full = write_video(tmp_path / "full.ts", moving_gradient(60), codec=codec, g="12", bf="2")
    path = cut_front(full)
    total = open_video(path).total_frames
    assert 24 <= total <= 48
    check_alone(path, total)
    if codec == "libx264":
        assert total == decoded_by_pyav(path)
    check_video(path)


def test_joined_transport_streams(tmp_path):
    parts = [
        write_video(tmp_path / f"{seed}.ts", moving_gradient(30, seed=seed), g="12", bf="2")
        for seed in (0, 1)
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    video = check_alone(path, 60)
    np.testing.assert_array_equal(video.read([40]), open_video(parts[1]).read([10]))
    # The second stream's clock restarts: its frames follow those of the first.
    assert video.times[-1] - video.times[0] == pytest.approx(59 / 25, abs=0.1)
    check_video(path)


def write_packets(path, packets, template):
    """Writes a file of (bytes, pts, dts, is_keyframe), in units of 1/25 s."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(template)
        for data, pts, dts, is_keyframe in packets:
            packet = av.Packet(data)
            packet.pts, packet.dts, packet.is_keyframe = pts, dts, is_keyframe
            packet.time_base, packet.stream, packet.duration = Fraction(1, 25), stream, 1
            container.mux(packet)
    return path


def packets_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        ticks = [round(float((p.dts or 0) * p.time_base) * 25) for p in packets]
        times = [round(float(p.pts * p.time_base) * 25) for p in packets]
        return [
            (bytes(p), pts, dts, p.is_keyframe)
            for p, pts, dts in zip(packets, times, ticks, strict=True)
        ], bytes(stream.codec_context.extradata or b"")


def parameter_sets(extradata):
    """SPS and PPS of an avcC record, each preceded by its length."""
    sets, offset = b"", 6
    for count in (extradata[5] & 31, None):
        if count is None:
            count, offset = extradata[offset], offset + 1
        for _ in range(count):
            (size,) = struct.unpack_from(">H", extradata, offset)
            sets += struct.pack(">I", size) + extradata[offset + 2 : offset + 2 + size]
            offset += 2 + size
    return sets


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "flv"])
def test_second_headers_of_h264(suffix, tmp_path):
    """A recording that continues with other settings, which are stated once, midway."""
    options = ({"x264-params": "cabac=1:8x8dct=1"}, {"x264-params": "cabac=0:8x8dct=0:ref=1"})
    paths = [
        write_video(tmp_path / f"{n}.mp4", moving_gradient(30, seed=n), g="6", bf="0", **option)
        for n, option in enumerate(options)
    ]
    (first, _), (second, extradata) = packets_of(paths[0]), packets_of(paths[1])
    head = parameter_sets(extradata)
    later = [(data, pts + 30, dts + 30, key) for data, pts, dts, key in second]
    later[0] = (head + later[0][0], *later[0][1:])
    with av.open(str(paths[0])) as template:
        path = tmp_path / f"both.{suffix}"
        write_packets(path, first + later, template.streams.video[0])
    video = check_alone(path, 60)
    np.testing.assert_array_equal(video.read([50]), open_video(paths[1]).read([20]))


def test_second_headers_of_mpeg4(tmp_path):
    paths = [
        write_video(
            tmp_path / f"{n}.mp4", moving_gradient(30, seed=n), codec="mpeg4", g="6", **more
        )
        for n, more in enumerate(({}, {"mpeg_quant": "1"}))
    ]
    (first, _), (second, extradata) = packets_of(paths[0]), packets_of(paths[1])
    later = [(data, pts + 30, dts + 30, key) for data, pts, dts, key in second]
    later[0] = (extradata + later[0][0], *later[0][1:])
    with av.open(str(paths[0])) as template:
        path = write_packets(tmp_path / "both.avi", first + later, template.streams.video[0])
    video = check_alone(path, 60)
    np.testing.assert_array_equal(video.read([50]), open_video(paths[1]).read([20]))


def test_times_that_do_not_follow_the_order_of_the_frames(tmp_path):
    plain = write_video(tmp_path / "plain.mp4", moving_gradient(40), g="12", bf="2")
    packets, _ = packets_of(plain)
    packets = [(data, number, number, key) for number, (data, _, _, key) in enumerate(packets)]
    with av.open(str(plain)) as template:
        path = write_packets(tmp_path / "guessed.mp4", packets, template.streams.video[0])
    check_alone(path, 40)


@pytest.mark.parametrize("suffix", ["avi", "mov", "nut"])
def test_palettes(suffix, tmp_path):
    """The palette is stored once, with the first packet."""
    path = tmp_path / f"palette.{suffix}"
    colors = np.random.default_rng(0).integers(0, 256, (256, 4)).astype(np.uint8)
    colors[:, 0] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "pal8"
        for image in moving_gradient(40):
            frame = av.VideoFrame.from_ndarray((image[..., 0], colors), "pal8")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    video = check_alone(path, 40)
    assert video.read([20]).std() > 10


@pytest.mark.parametrize(
    "codec,name", [("qtrle", "a.mov"), ("zmbv", "a.avi"), ("flashsv", "a.flv")]
)
def test_screen_recordings_that_change_incrementally(codec, name, tmp_path):
    pixels = {"qtrle": "rgb24", "zmbv": "bgr0", "flashsv": "bgr24"}[codec]
    frames = moving_gradient(30)
    path = write_video(tmp_path / name, frames, codec=codec, pixels=pixels, g="10")
    check_alone(path, 30)


def test_a_container_that_cannot_seek(tmp_path):
    stills = write_video(tmp_path / "a.mkv", moving_gradient(12), codec="mjpeg", pixels="yuvj420p")
    packets, _ = packets_of(stills)
    path = tmp_path / "camera.avi"  # what cameras send: images without a container
    path.write_bytes(b"".join(data for data, *_ in packets))
    check_alone(path, 12)


def test_empty_packets(tmp_path):
    plain = write_video(tmp_path / "plain.avi", moving_gradient(20), codec="mpeg4", g="6")
    packets, _ = packets_of(plain)
    # AVI fills a gap in time with empty packets: the previous frame remains.
    packets = [
        (data, 3 * number, 3 * number, key) for number, (data, _, _, key) in enumerate(packets)
    ]
    with av.open(str(plain)) as template:
        path = write_packets(tmp_path / "gaps.avi", packets, template.streams.video[0])
    check_alone(path, 20)


def test_frames_that_are_not_shown():
    shown, hidden, repeat = 0b10000010, 0b10000000, 0b10001000
    for bits, count in ((shown, 1), (hidden, 0), (repeat, 1)):
        assert shown_frames(memoryview(bytes((bits, 0, 0))), "vp9") == count
    marker = 0b11000001  # two frames, whose sizes have one byte
    both = bytes((hidden, 0, shown, 0, marker, 2, 2, marker))
    assert shown_frames(memoryview(both), "vp9") == 1
    delimiter, frame = b"\x12\x00", bytes((0x32, 2))
    assert shown_frames(memoryview(delimiter + frame + b"\x10\x00"), "av1") == 1
    assert shown_frames(memoryview(delimiter + frame + b"\x00\x00"), "av1") == 0
    assert shown_frames(memoryview(frame + b"\x00\x00" + frame + b"\x10\x00"), "av1") == 1
    assert shown_frames(memoryview(b"\x10\0"), "vp8") == 1
    assert shown_frames(memoryview(b"\x00\0"), "vp8") == 0
    assert shown_frames(memoryview(b"\0"), "h264") == 1


MATRICES = {
    "plain": ((1, 0, 0, 1), lambda x: x),
    "mirrored": ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
    "upside_down": ((1, 0, 0, -1), lambda x: x[::-1]),
    "half_turn": ((-1, 0, 0, -1), lambda x: x[::-1, ::-1]),
    "transposed": ((0, 1, 1, 0), lambda x: x.swapaxes(0, 1)),
    "clockwise": ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
    "anticlockwise": ((0, -1, 1, 0), lambda x: np.rot90(x)),
    "transverse": ((0, -1, -1, 0), lambda x: np.rot90(x, 2).swapaxes(0, 1)),
}


@pytest.mark.parametrize("name", MATRICES)
def test_display_matrices(name, tmp_path):
    (a, b, c, d), turn = MATRICES[name]
    plain = write_video(tmp_path / "plain.mp4", moving_gradient(8))
    data = bytearray(plain.read_bytes())
    place = data.index(b"tkhd") + 44
    unit = 65536
    matrix = (a * unit, b * unit, 0, c * unit, d * unit, 0, 0, 0, 1 << 30)
    data[place : place + 36] = struct.pack(">9i", *matrix)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(data)
    expected = turn(open_video(plain).read([5])[0])
    np.testing.assert_array_equal(open_video(turned).read([5])[0], expected)
    assert (open_video(turned).read([2], short_side=24).shape[1] == 24) == (a != 0)


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
@pytest.mark.parametrize("is_full", [False, True])
def test_color_matrix_and_range(matrix, is_full, tmp_path):
    """Colors differ from the stored ones by no more than the rounding of the conversions."""
    red_weight, blue_weight = {
        "bt709": (0.2126, 0.0722),
        "smpte170m": (0.299, 0.114),
        "bt2020nc": (0.2627, 0.0593),
    }[matrix]
    color = np.array((200, 60, 30))
    luma = color @ (red_weight, 1 - red_weight - blue_weight, blue_weight)
    chroma = [
        (color[channel] - luma) / (2 * (1 - weight))
        for channel, weight in ((2, blue_weight), (0, red_weight))
    ]
    levels = [luma if is_full else 16 + luma * 219 / 255]
    levels += [128 + value * (1 if is_full else 224 / 255) for value in chroma]
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv444p"
        context = stream.codec_context
        context.color_range = 2 if is_full else 1
        context.colorspace = {"bt709": 1, "smpte170m": 6, "bt2020nc": 9}[matrix]
        planes = [np.full((48, 64), round(level), np.uint8) for level in levels]
        frame = av.VideoFrame.from_ndarray(np.stack(planes), "yuv444p")
        frame.color_range, frame.colorspace = context.color_range, context.colorspace
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    read = open_video(path).read([0])[0].reshape(-1, 3).astype(int)
    assert np.abs(read - color).max() <= 3
