"""Information read from the packets of a video stream without decoding them."""

# Number of bytes at the start of a packet that are searched for headers.
_HEADERS_WITHIN = 4096
# NAL unit types of pictures, and those of parameter sets.
_H264 = (frozenset(range(1, 6)), frozenset((7, 8)))
_HEVC = (frozenset(range(32)), frozenset((32, 33, 34)))
_VVC = (frozenset(range(12)), frozenset((14, 15, 16, 17)))
_NAL_CODECS = {"h264": _H264, "hevc": _HEVC, "vvc": _VVC}
# Start codes of a picture in the older codecs, before which their headers are.
_PICTURE_CODES = {
    "mpeg1video": b"\0\0\1\0",
    "mpeg2video": b"\0\0\1\0",
    "mpeg4": b"\0\0\1\xb6",
    "vc1": b"\0\0\1\x0d",
}
_GROUP_CODES = {"mpeg1video": b"\0\0\1\xb8", "mpeg2video": b"\0\0\1\xb8", "mpeg4": b"\0\0\1\xb3"}
_AV1_FRAME_HEADER, _AV1_FRAME = 3, 6
_VP8_SHOW_FRAME = 0x10


def shown_frames(data, codec):
    """Number of displayed frames in a packet.

    Args:
        data: the packet's bytes, a memoryview, not empty.
        codec: FFmpeg's name of the codec.

    Returns:
        The number, for codecs with frames that are only referenced; 1 for others.
    """
    if codec == "vp8":
        return int(bool(data[0] & _VP8_SHOW_FRAME))
    if codec == "vp9":
        return sum(_vp9_shows(data[start]) for start in _vp9_starts(data))
    if codec == "av1":
        return _av1_shown(data)
    return 1


def _vp9_starts(data):
    """Positions at which the frames of a packet begin."""
    last = data[-1]
    count, width = (last & 7) + 1, (last >> 3 & 3) + 1
    size = 2 + width * count
    if last & 0xE0 != 0xC0 or len(data) < size or data[-size] != last:
        return [0]
    starts, position = [], 0
    for number in range(count):
        at = len(data) - size + 1 + number * width
        starts.append(position)
        position += int.from_bytes(data[at : at + width], "little")
    return [start for start in starts if start < len(data) - size]


def _vp9_shows(first):
    """Whether a frame that begins with this byte is shown, or shows an earlier one."""
    profile = (first >> 5 & 1) | (first >> 4 & 1) << 1
    bits = first << 1 if profile == 3 else first
    return bool(bits & 8 or bits & 2)


def _av1_shown(data):
    position, shown = 0, 0
    while position < len(data):
        kind, extended, sized = data[position] >> 3 & 15, data[position] & 4, data[position] & 2
        position += 2 if extended else 1
        size = len(data) - position
        if sized:
            size, position = _leb128(data, position)
        # Repeated headers have another unit type; tile groups have no header.
        if kind in (_AV1_FRAME_HEADER, _AV1_FRAME) and position < len(data):
            shown += bool(data[position] & 0x80 or data[position] & 0x10)
        position += size
    return shown


def _leb128(data, position):
    value = 0
    for shift in range(0, 56, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return value, position


class Headers:
    """Follows the headers that a stream repeats or changes between its pictures.

    Attributes:
        has_nonreference: whether there are non-reference pictures, in H.264 and later.

    Args:
        codec: FFmpeg's name of the codec.
        extradata: the headers that the container holds, bytes or None.
    """

    def __init__(self, codec, extradata):
        self._codec = codec
        self._kinds = _NAL_CODECS.get(codec)
        self._length_size = _length_size(codec, extradata or b"")
        self._first, self._changed, self._bare_keyframes = None, False, False
        self.has_nonreference = False

    def add(self, data, is_keyframe):
        """Adds the next packet, a memoryview."""
        headers = self._headers_of(data)
        if self._first is None:
            self._first = headers
        elif headers and headers != self._first:
            self._changed = True
        if is_keyframe and not headers:
            self._bare_keyframes = True

    @property
    def lost_by_seeking(self):
        """Whether decoding from a keyframe may miss headers that came before it."""
        return self._changed and self._bare_keyframes

    def _headers_of(self, data):
        if self._kinds is not None:
            return self._parameter_sets(data)
        picture = _PICTURE_CODES.get(self._codec)
        if picture is None:
            return b""
        start = bytes(data[:_HEADERS_WITHIN])
        headers, code, _ = start.partition(picture)
        if not code:
            return b""
        # The header of a group of pictures contains its time code, which always changes.
        return headers.partition(_GROUP_CODES.get(self._codec, picture))[0]

    def _parameter_sets(self, data):
        pictures, parameters = self._kinds
        parameter_sets = []
        for start, end in self._units(data):
            kind = self._kind(data, start)
            if kind in pictures:
                self.has_nonreference |= self._is_nonreference(kind, data[start])
                break
            if kind in parameters:
                parameter_sets.append(bytes(data[start:end]).rstrip(b"\0"))
        return b"".join(parameter_sets)

    def _is_nonreference(self, kind, first):
        if self._codec == "h264":
            return not first & 0x60
        return self._codec == "hevc" and kind < 16 and kind % 2 == 0

    def _kind(self, data, start):
        if self._codec == "h264":
            return data[start] & 31
        return data[start] >> 1 & 63 if self._codec == "hevc" else data[start + 1] >> 3

    def _units(self, data):
        """Start and end of each unit, in order; a unit has at least two bytes."""
        if self._length_size:
            yield from self._units_by_length(data)
            return
        content = bytes(data[:_HEADERS_WITHIN])
        position = content.find(b"\0\0\1")
        while 0 <= position < len(content) - 4:
            following = content.find(b"\0\0\1", position + 3)
            yield position + 3, following if following >= 0 else len(content)
            position = following

    def _units_by_length(self, data):
        position, width = 0, self._length_size
        while position + width + 2 <= len(data):
            size = int.from_bytes(data[position : position + width])
            yield position + width, position + width + size
            position += width + size


def _length_size(codec, extradata):
    """Size in bytes of the length before each unit, or 0 if start codes separate them."""
    position = {"h264": 4, "hevc": 21, "vvc": 4}.get(codec, 0)
    if len(extradata) <= position or extradata[:3] in (b"\0\0\1", b"\0\0\0"):
        return 0
    if codec == "vvc":
        return (extradata[position] >> 1 & 3) + 1
    return (extradata[position] & 3) + 1
