"""Opens files for FFmpeg: which may be opened, and which of their streams is read."""

import contextlib
import os
import stat
from pathlib import Path

import av

from ..shard_paths import PartOfFile, ShardPath, is_in_shard, open_bytes, size_of, status_of
from .errors import DecodeError

# Pixels of a frame beyond which a file is refused unless told otherwise: twice those of 8K.
MAX_PIXELS = 8192 * 8192

# Containers whose content is in the file itself. Not among them, whatever a file is named: those
# that name other files or addresses (playlists, descriptions of sessions, lists and patterns of
# files), devices, scripts and subtitles.
_CONTAINERS = (
    # Containers of video and sound.
    "3g2 3gp asf asf_o avi dv f4v flv kux gxf ipmovie m4a matroska mj2 mov mp4 mpeg mpegts "
    "mpegtsraw mtv mxf nsv nut nuv ogg pva rm swf ty vob webm wtv xmv yuv4mpegpipe "
    # Streams of one codec.
    "apv av1 avs2 avs3 cavsvideo dirac dnxhd evc h261 h263 h264 hevc ivf m4v mjpeg mjpeg_2000 "
    "mpjpeg mpegvideo obu vc1 vc1test vvc "
    # Pictures, moving and still.
    "apng bmp_pipe dds_pipe dpx_pipe exr_pipe flic gif gif_pipe ico j2k_pipe jpeg_pipe "
    "jpegls_pipe jpegxl_anim jpegxl_pipe pam_pipe pbm_pipe pcx_pipe pgm_pipe png_pipe "
    "ppm_pipe psd_pipe qoi_pipe sgi_pipe sunrast_pipe tiff_pipe webp webp_anim webp_pipe "
    "xbm_pipe xpm_pipe xwd_pipe "
    # Games, cameras and older programs.
    "4xm amv anm avr bethsoftvid bfi bink bmv c93 cdg cdxl cine dhav dsicin dxa ea film_cpk "
    "filmstrip gdv hnm idcin iff ifv iv8 jv lmlm4 luodat lvf lxf mm moflex msnwctcp mv mvi "
    "paf pmp psxstr r3d rl2 roq rpl ser sga siff simbiosis_imx smjpeg smk smush thp "
    "tiertexseq usm vivo vmd wc3movie yop "
    # Sound.
    "aac ac3 ac4 aiff amr amrnb amrwb ape aptx au caf dsf dts dtshd eac3 flac gsm loas mlp "
    "mp3 mpc mpc8 oga oma opus shn tak truehd tta voc w64 wav wv xwma"
)
_FILE_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS.replace(" ", ",")}
# FFmpeg takes these pictures for a pattern of files, for which their names are.
_PICTURES = {b"\xff\xd8": "jpeg_pipe", b"\x89P": "png_pipe", b"BM": "bmp_pipe"}
# Releases of PyAV before 18 crash at options where streams appear on the way, as in FLV.
_PROBES_WITH_OPTIONS = int(av.__version__.partition(".")[0]) >= 18
# Where the user gave an address, what lies there may name other addresses, but no files here.
_ADDRESS_OPTIONS = {
    "protocol_whitelist": "http,https,httpproxy,tls,tcp,udp,udplite,rtp,srtp,rtsp,rtmp,rtmps,rtmpt,"
    "rtmpts,rtmpte,rtmpe,ffrtmpcrypt,ffrtmphttp,srt,rist,mmsh,mmst,ftp,sctp,crypto,hls"
}
# Bytes that FFmpeg asks for at a time of a file in a shard, which Python reads for it.
_BUFFER = 1 << 18
# What a stream's default mark is worth in pixels or channels when one of several is chosen.
_DEFAULT_MARK = 5_000_000


def is_address(source):
    """Whether a text is an address such as "rtsp://...", and not the name of a file here."""
    return "://" in str(source) and not Path(source).exists() and not is_in_shard(source)


def open_container(path, allow_url=False, timeout=None, max_pixels=MAX_PIXELS):
    """Opens a video or sound file with PyAV, in such a way that it opens nothing else.

    Args:
        path: the file; its name is never taken for an address, a device or a pattern.
        allow_url: take `path` for an address if it is one, such as "https://...".
        timeout: seconds after which opening, and each reading of a packet, is given up.
        max_pixels: the greatest frame that is decoded while it is looked what the file holds.

    Returns:
        An `av.container.InputContainer`.

    Raises:
        DecodeError: it is no file, is empty, or is of a format that refers to other files.
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
            "to further files or addresses are refused"
        )
        raise DecodeError(path, reason) from error


def _file(path):
    """A file as PyAV is given it: its address, or where it lies in a shard an open file."""
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
        max_pixels: frames of more pixels are refused before memory is taken for them.
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
        A stream that can be decoded and is no attached picture, or None.
    """
    streams = [one for one in container.streams.video if one.codec_context and not _is_picture(one)]
    size = lambda one: one.codec_context.width * one.codec_context.height  # noqa: E731
    return _best(streams, size)


def choose_audio_stream(container):
    """The sound track that players play: the default one, or that of the most channels.

    Returns:
        A stream that can be decoded, or None.
    """
    streams = [one for one in container.streams.audio if one.codec_context]
    return _best(streams, lambda one: one.codec_context.layout.nb_channels)


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
    # Only MP4 lists all packets when it is opened; in other containers nothing is known yet.
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
            return  # PyAV fails so, at the end, where a file brought up further streams on its way
        yield packet


def decoded(container, stream):
    """Every frame of a freshly opened file, in order.

    Packets without content are passed over: they say that the picture before stays, and decoders
    do not take them. Before the first keyframe, where streams that were cut begin, a decoder may
    have nothing to begin with: what it refuses there is passed over as well.
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
    # The last packet is empty: it asks the decoder for what it still holds.
    if last is not None and not last.size:
        yield from last.decode()
