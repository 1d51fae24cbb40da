import copy
import functools
import http.server
import multiprocessing
import pickle
import struct
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from keras_video.data import DecodeError, Videos, frames_in_order, live_frames, open_video
from keras_video.data.decoding.opening import choose_audio_stream, open_container
from keras_video.data.prepare.checking import check_video
from tests.images import write_image
from tests.videos import moving_gradient, write_video

PLAYLISTS = {
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ngood.ts\n",  # without an end tag
    "hls.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\ngood.ts\n#EXT-X-ENDLIST\n",
    "dash.mp4": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT3S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>good.ts</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "concat.mp4": "ffconcat version 1.0\nfile good.ts\n",
    "itself.ffconcat": "ffconcat version 1.0\nfile itself.ffconcat\nfile itself.ffconcat\n",
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "titles.srt": "1\n00:00:00,000 --> 00:00:01,000\nword\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, which contains the valid video `good.ts`."""
    monkeypatch.chdir(tmp_path)
    write_video("good.ts", moving_gradient(12), g="6")
    return tmp_path


def open_files():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@pytest.mark.parametrize("name", PLAYLISTS)
def test_playlists_open_no_files(name, folder):
    (folder / name).write_text(PLAYLISTS[name])
    before = open_files()
    for read in (
        open_video,
        check_video,
        lambda path: next(frames_in_order(path)),
        lambda path: next(live_frames(path)),
    ):
        with pytest.raises(DecodeError, match=name):
            read(name)
    assert open_files() == before


def test_rejections_state_the_reason(folder):
    (folder / "list.mp4").write_text(PLAYLISTS["concat.mp4"])
    with pytest.raises(DecodeError, match="list.mp4.*playlists.*are rejected"):
        open_video("list.mp4")


@pytest.mark.parametrize(
    "name",
    ["concat:good.ts", "subfile,,start,0,end,0,,:good.ts", "pipe:0", "good*.ts", "testsrc"]
    + ["http://127.0.0.1:9/a.mp4", "/dev/zero", "."],
)
def test_names_are_file_names(name, folder):
    with pytest.raises(DecodeError, match="No such file|no regular file"):
        open_video(name)


@pytest.mark.parametrize(
    "name", ["12:30:05.mkv", "http:.mkv", "file:a.mkv", "-", "%03d.mkv", "a|b"]
)
def test_odd_names_are_read(name, folder):
    write_video("plain.mkv", moving_gradient(12), g="6")
    Path("plain.mkv").rename(name)
    assert open_video(name).total_frames == 12
    assert open_video(name).read([7]).shape == (1, 48, 64, 3)
    assert len(list(frames_in_order(name))) == 12
    check_video(name)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_patterns_are_file_names(suffix, folder):
    for number, image in enumerate(moving_gradient(3)):
        write_image(folder / f"a00{number}.{suffix}", image)
    write_image(folder / f"a%03d.{suffix}", np.full((24, 32, 3), 9, np.uint8))
    assert open_video(f"a001.{suffix}").read([0]).shape == (1, 48, 64, 3)
    video = open_video(f"a%03d.{suffix}")
    assert video.total_frames == 1 and video.read([0]).shape == (1, 24, 32, 3)


@pytest.fixture
def address(folder):
    """The address of a server for the folder."""
    handler = functools.partial(_Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_addresses_are_opened_if_requested(address):
    with pytest.raises(DecodeError, match="pass allow_url=True"):
        open_video(f"{address}/good.ts")
    video = open_video(f"{address}/good.ts", allow_url=True)
    np.testing.assert_array_equal(video.read([3, 8]), open_video("good.ts").read([3, 8]))
    with pytest.raises(DecodeError):
        open_video(f"{address}/absent.ts", allow_url=True)


def test_an_address_reaches_no_local_files(address, folder):
    text = PLAYLISTS["hls.mp4"].replace("good.ts", f"file://{folder}/good.ts")
    (folder / "list.m3u8").write_text(text)
    with pytest.raises(DecodeError):
        open_video(f"{address}/list.m3u8", allow_url=True).read([0])


def test_pixel_limit(folder):
    with pytest.raises(DecodeError, match=r"good.ts.*64x48 = 3072 pixels.*max_pixels=3071"):
        open_video("good.ts", max_pixels=3071)
    with pytest.raises(DecodeError, match="max_pixels=3071"):
        next(frames_in_order("good.ts", max_pixels=3071))
    with pytest.raises(DecodeError, match="max_pixels=3071"):
        Videos(max_pixels=3071).open_file("good.ts")
    assert open_video("good.ts", max_pixels=3072).read([3]).shape == (1, 48, 64, 3)
    with pytest.raises(ValueError, match="max_pixels=0"):
        Videos(max_pixels=0)


def test_8k_is_within_the_default_limit(tmp_path):
    frame = np.zeros((4320, 7680, 3), np.uint8)
    path = write_video(tmp_path / "8k.mkv", [frame], codec="mjpeg", pixels="yuvj420p")
    assert open_video(path).read([0]).shape == (1, 4320, 7680, 3)


def test_huge_frames_allocate_no_memory(tmp_path):
    path = write_video(tmp_path / "small.mp4", moving_gradient(3), codec="mpeg4")
    data = bytearray(path.read_bytes())
    for tag, offset in ((b"mp4v", 28), (b"tkhd", 80)):
        place = data.index(tag) + offset
        huge = struct.pack(">HH", 16000, 16000) if tag == b"mp4v" else bytes((62, 128, 0, 0) * 2)
        data[place : place + len(huge)] = huge
    path.write_bytes(data)
    try:
        shape = open_video(path).read([0]).shape
    except DecodeError as error:
        assert "max_pixels" in str(error)
    else:
        assert shape == (1, 48, 64, 3)  # as stated by the stream itself


def write_streams(path, sizes, default=None, attached=None):
    """Writes a file of several 10-frame video streams, one of them marked as the default."""
    kinds, streams = av.stream.Disposition, []
    with av.open(str(path), "w") as container:
        for number, (height, width) in enumerate(sizes):
            is_attached = number == attached
            stream = container.add_stream("mjpeg" if is_attached else "mpeg4", rate=25)
            stream.height, stream.width = height, width
            stream.pix_fmt = "yuvj420p" if is_attached else "yuv420p"
            stream.disposition = kinds.default if number == default else kinds(0)
            if is_attached:
                stream.disposition = kinds.attached_pic
            streams.append(stream)
        for number, (stream, size) in enumerate(zip(streams, sizes, strict=True)):
            for image in moving_gradient(1 if number == attached else 10, *size):
                frame = av.VideoFrame.from_ndarray(image, "rgb24")
                container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
            container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("name", "default", "expected"),
    [("a.mp4", 0, (32, 48)), ("a.mp4", 1, (96, 128)), ("a.avi", None, (96, 128))],
)
def test_the_stream_shown_by_players(name, default, expected, tmp_path):
    path = write_streams(tmp_path / name, [(32, 48), (96, 128)], default)
    assert open_video(path).read([9]).shape == (1, *expected, 3)
    frames = [frame for _, frame in frames_in_order(path)]
    assert np.shape(frames) == (10, *expected, 3)


def test_attached_pictures_are_not_videos(tmp_path):
    path = write_streams(tmp_path / "a.mp4", [(96, 128), (32, 48)], 1, attached=0)
    assert open_video(path).read([9]).shape == (1, 32, 48, 3)
    path = write_streams(tmp_path / "song.mp4", [(96, 128)], attached=0)
    with pytest.raises(DecodeError, match="no video stream.*only attached pictures"):
        open_video(path)


def test_the_audio_track_played_by_players(tmp_path):
    path = tmp_path / "audio.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=8000, layout=n) for n in LAYOUTS]
        streams[0].disposition = av.stream.Disposition(0)
        streams[1].disposition = av.stream.Disposition(0)
        streams[2].disposition = av.stream.Disposition.default
        for stream, layout in zip(streams, LAYOUTS, strict=True):
            samples = np.zeros((1, 800 * stream.codec_context.layout.nb_channels), np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", layout)
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
    with open_container(path) as container:
        assert choose_audio_stream(container).index == 2


LAYOUTS = ("mono", "stereo", "mono")


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_decode_errors_survive_copies(again):
    from keras_video.data.audio.decoding import NoAudioError

    for kind in (DecodeError, NoAudioError):
        error = kind("a.mp4", "it is bad", 3, 4)
        error.add_note("line 7")
        same = again(error)
        assert type(same) is kind and str(same) == str(error)
        assert (same.path, same.reason, same.requested_frame, same.frame_count) == (
            "a.mp4",
            "it is bad",
            3,
            4,
        )
        assert same.__notes__ == ["line 7"]


@pytest.mark.slow
def test_decode_errors_cross_processes(tmp_path):
    with (
        multiprocessing.get_context("spawn").Pool(1) as pool,
        pytest.raises(DecodeError, match="absent.mp4"),
    ):
        pool.map_async(open_video, [str(tmp_path / "absent.mp4")]).get(timeout=120)
