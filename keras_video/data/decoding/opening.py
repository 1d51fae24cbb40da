"""Opening of files with FFmpeg: which files are allowed, and which of their streams is read."""

import contextlib
import os
import stat
from pathlib import Path

import av

from ..shard_paths import PartOfFile, ShardPath, is_in_shard, open_bytes, size_of, status_of
from .errors import DecodeError

# Default limit of the pixels of a frame, above which a file is rejected: twice 8K.
MAX_PIXELS = 8192 * 8192

# Self-contained formats. Excluded, whatever the file name: formats that refer to other files or
# URLs (playlists, session descriptions, file lists and patterns), devices, scripts and subtitles.
_CONTAINERS = (
    # Containers of video and audio.
    "3g2 3gp asf asf_o avi dv f4v flv kux gxf ipmovie m4a matroska mj2 mov mp4 mpeg mpegts "
    "mpegtsraw mtv mxf nsv nut nuv ogg pva rm swf ty vob webm wtv xmv yuv4mpegpipe "
    # Streams of one codec.
    "apv av1 avs2 avs3 cavsvideo dirac dnxhd evc h261 h263 h264 hevc ivf m4v mjpeg mjpeg_2000 "
    "mpjpeg mpegvideo obu vc1 vc1test vvc "
    # Images, animated and still.
    "apng bmp_pipe dds_pipe dpx_pipe exr_pipe flic gif gif_pipe ico j2k_pipe jpeg_pipe "
    "jpegls_pipe jpegxl_anim jpegxl_pipe pam_pipe pbm_pipe pcx_pipe pgm_pipe png_pipe "
    "ppm_pipe psd_pipe qoi_pipe sgi_pipe sunrast_pipe tiff_pipe webp webp_anim webp_pipe "
    "xbm_pipe xpm_pipe xwd_pipe "
    # Games, cameras and older programs.
    "4xm amv anm avr bethsoftvid bfi bink bmv c93 cdg cdxl cine dhav dsicin dxa ea film_cpk "
    "filmstrip gdv hnm idcin iff ifv iv8 jv lmlm4 luodat lvf lxf mm moflex msnwctcp mv mvi "
    "paf pmp psxstr r3d rl2 roq rpl ser sga siff simbiosis_imx smjpeg smk smush thp "
    "tiertexseq usm vivo vmd wc3movie yop "
    # Audio.
    "aac ac3 ac4 aiff amr amrnb amrwb ape aptx au caf dsf dts dtshd eac3 flac gsm loas mlp "
    "mp3 mpc mpc8 oga oma opus shn tak truehd tta voc w64 wav wv xwma"
)
_FILE_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS.replace(" ", ",")}
# FFmpeg would treat the names of these images as file patterns.
_PICTURES = {b"\xff\xd8": "jpeg_pipe", b"\x89P": "png_pipe", b"BM": "bmp_pipe"}
# Releases of PyAV before 18 crash with options if streams appear midway, as in FLV.
_PROBES_WITH_OPTIONS = int(av.__version__.partition(".")[0]) >= 18
# If the user passed a URL, its content may refer to other URLs, but not to local files.
_ADDRESS_OPTIONS = {
    "protocol_whitelist": "http,https,httpproxy,tls,tcp,udp,udplite,rtp,srtp,rtsp,rtmp,rtmps,rtmpt,"
    "rtmpts,rtmpte,rtmpe,ffrtmpcrypt,ffrtmphttp,srt,rist,mmsh,mmst,ftp,sctp,crypto,hls"
}
# Bytes that FFmpeg requests at a time from a file in a shard, which Python reads for it.
_BUFFER = 1 << 18
# Bonus, in pixels or channels, of a stream's default flag when one of several is chosen.
_DEFAULT_MARK = 5_000_000


def is_address(source):
    """Whether a text is a URL such as "rtsp://...", rather than a local file name."""
    return "://" in str(source) and not Path(source).exists() and not is_in_shard(source)


def open_container(path, allow_url=False, timeout=None, max_pixels=MAX_PIXELS):
    """Opens a video or audio file with PyAV, without access to any other file.

    Args:
        path: the file; its name is never interpreted as a URL, a device or a pattern.
        allow_url: treat `path` as a URL if it is one, such as "https://...".
        timeout: seconds after which opening, and each packet read, times out.
        max_pixels: size of the largest frame that is decoded while the file is probed.

    Returns:
        An `av.container.InputContainer`.

    Raises:
        DecodeError: it is not a file, is empty, or has a format that refers to other files.
        av.error.FFmpegError: FFmpeg cannot open it.
    """
    path = os.fsdecode(path)
    settings = {"metadata_errors": "ignore", "timeout": timeout}
    if _PROBES_WITH_OPTIONS:
        settings["options"] = {"max_pixels": str(max_pixels)}
    if allow_url and is_address(path):
        return av.open(path, container_options=_ADDRESS_OPTIONS, **settings)
    _check_file(path)
    settings["container_options"] = _FILE_OPTIONS
    if is_in_shard(path):
        settings["buffer_size"] = _BUFFER
    try:
        return av.open(_file(path), **settings)
    except av.error.ArgumentError as error:
        with open_bytes(path) as file:
            picture = _PICTURES.get(file.read(2))
        if picture is not None:
            return av.open(_file(path), format=picture, **settings)
        reason = (
            "it is damaged, or of a format that is not read; playlists and other files that refer "
            "to further files or addresses are rejected"
        )
        raise DecodeError(path, reason) from error


def _file(path):
    """A file in the form PyAV takes: its URL, or an open file if it is in a shard."""
    part = ShardPath.of(path)
    return f"file:{path}" if part is None else PartOfFile(part, path)


def _check_file(path):
    try:
        status = status_of(path)
        size = size_of(path, status)
    except (OSError, ValueError) as error:
        hint = "; to read from an address, pass allow_url=True" if "://" in path else ""
        reason = getattr(error, "strerror", None) or str(error)
        raise DecodeError(path, reason + hint) from error
    if not stat.S_ISREG(status.st_mode):
        raise DecodeError(path, "it is no regular file")
    if not size:
        raise DecodeError(path, "the file is empty")


@contextlib.contextmanager
def opened(path, max_pixels=MAX_PIXELS, allow_url=False, timeout=None):
    """The container and video stream of a file, with FFmpeg's errors turned into `DecodeError`.

    Args:
        path, allow_url, timeout: see `open_container`.
        max_pixels: larger frames are rejected before memory is allocated for them.
    """
    try:
        with open_container(path, allow_url, timeout, max_pixels) as container:
            stream = choose_video_stream(container)
            if stream is None:
                raise DecodeError(path, _without_video(container))
            _check_size(path, stream, max_pixels)
            # Clips are decoded in parallel: threads inside a decoder only add delay and memory.
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"max_pixels": str(max_pixels)}
            yield container, stream
    except av.error.FFmpegError as error:
        raise DecodeError(path, error.strerror or str(error)) from error
    except (EOFError, OSError, MemoryError) as error:
        raise DecodeError(path, str(error)) from error


def _without_video(container):
    pictures = any(_is_picture(stream) for stream in container.streams.video)
    return "it has no video stream that can be decoded" + (
        ", only attached pictures" if pictures else ""
    )


def _check_size(path, stream, max_pixels):
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > max_pixels:
        raise DecodeError(
            path,
            f"its frames have {width}x{height} = {width * height} pixels, more than the limit of "
            f"max_pixels={max_pixels}",
        )


def choose_video_stream(container):
    """The video stream that players show: the default or largest one, as the ffmpeg program does.

    Returns:
        A decodable stream that is not an attached picture, or None.
    """
    streams = [
        stream
        for stream in container.streams.video
        if stream.codec_context and not _is_picture(stream)
    ]
    size = lambda stream: stream.codec_context.width * stream.codec_context.height  # noqa: E731
    return _best(streams, size)


def choose_audio_stream(container):
    """The audio track that players play: the default one, or the one with the most channels.

    Returns:
        A stream that can be decoded, or None.
    """
    streams = [stream for stream in container.streams.audio if stream.codec_context]
    return _best(streams, lambda stream: stream.codec_context.layout.nb_channels)


def _best(streams, worth):
    def score(stream):
        is_default = bool(stream.disposition & av.stream.Disposition.default)
        return _holds_packets(stream), worth(stream) + _DEFAULT_MARK * is_default

    # Of equals, max() takes the first, as FFmpeg does.
    return max(streams, key=score, default=None)


def _is_picture(stream):
    kinds = av.stream.Disposition
    return bool(stream.disposition & (kinds.attached_pic | kinds.timed_thumbnails))


def _holds_packets(stream):
    # Only MP4 lists all packets on opening; for other containers nothing is known yet.
    is_mp4 = stream.container.format.name.startswith("mov")
    return not is_mp4 or stream.frames > 0 or len(stream.index_entries) > 0 or not stream.duration


def demuxed(container, *streams):
    """The packets of streams of a freshly opened file; the last one of each stream is empty."""
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except IndexError:
            return  # PyAV raises this at the end if further streams appeared midway
        yield packet


def decoded(container, stream):
    """Every frame of a freshly opened file, in order.

    Empty packets are skipped: they mean that the previous frame stays, and decoders do not accept
    them. Before the first keyframe, as at the start of a stream that was cut, the decoder may lack
    references: packets that it rejects there are skipped as well.
    """
    last, begun = None, False
    for packet in demuxed(container, stream):
        last = packet
        if not packet.size:
            continue
        begun = begun or packet.is_keyframe
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            if begun:
                raise
            continue
        begun = begun or bool(frames)
        yield from frames
    # The last packet is empty: it flushes the decoder.
    if last is not None and not last.size:
        yield from last.decode()
