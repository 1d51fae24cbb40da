"""What the packets of a video stream say without being decoded."""

# First bytes of a packet that headers are looked for in.
_HEADERS_WITHIN = 4096
# NAL units that carry a picture, and those that carry parameters of the pictures to come.
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
    """How many of the frames in a packet are shown.

    Args:
        data: the packet's bytes, a memoryview, not empty.
        codec: FFmpeg's name of the codec.

    Returns:
        A number, for the codecs that store frames which are only referred to; 1 for others.
    """
    if codec == "vp8":
        return int(bool(data[0] & _VP8_SHOW_FRAME))
    if codec == "vp9":
        return sum(_vp9_shows(data[start]) for start in _vp9_starts(data))
    if codec == "av1":
        return _av1_shown(data)
    return 1


def _vp9_starts(data):
    """Places at which the frames of a packet begin."""
    last = data[-1]
    count, width = (last & 7) + 1, (last >> 3 & 3) + 1
    size = 2 + width * count
    if last & 0xE0 != 0xC0 or len(data) < size or data[-size] != last:
        return [0]
    starts, place = [], 0
    for number in range(count):
        at = len(data) - size + 1 + number * width
        starts.append(place)
        place += int.from_bytes(data[at : at + width], "little")
    return [start for start in starts if start < len(data) - size]


def _vp9_shows(first):
    """Whether a frame that begins with this byte is shown, or shows an earlier one."""
    profile = (first >> 5 & 1) | (first >> 4 & 1) << 1
    bits = first << 1 if profile == 3 else first
    return bool(bits & 8 or bits & 2)


def _av1_shown(data):
    place, shown = 0, 0
    while place < len(data):
        kind, extended, sized = data[place] >> 3 & 15, data[place] & 4, data[place] & 2
        place += 2 if extended else 1
        size = len(data) - place
        if sized:
            size, place = _leb128(data, place)
        # A header that is said again is a unit of another kind; a tile group has none.
        if kind in (_AV1_FRAME_HEADER, _AV1_FRAME) and place < len(data):
            shown += bool(data[place] & 0x80 or data[place] & 0x10)
        place += size
    return shown


def _leb128(data, place):
    value = 0
    for shift in range(0, 56, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return value, place


class Headers:
    """Follows the headers that a stream repeats or changes between its pictures.

    Args:
        codec: FFmpeg's name of the codec.
        extradata: the headers that the container holds, bytes or None.
    """

    def __init__(self, codec, extradata):
        self._codec = codec
        self._kinds = _NAL_CODECS.get(codec)
        self._length_size = _length_size(codec, extradata or b"")
        self._first, self._changed, self._bare_keyframes = None, False, False

    def add(self, data, is_keyframe):
        """Looks at the next packet, a memoryview."""
        found = self._of(data)
        if self._first is None:
            self._first = found
        elif found and found != self._first:
            self._changed = True
        if is_keyframe and not found:
            self._bare_keyframes = True

    @property
    def lost_by_seeking(self):
        """Whether a decoder that begins at a keyframe may miss headers that came before it."""
        return self._changed and self._bare_keyframes

    def _of(self, data):
        if self._kinds is not None:
            return self._parameter_sets(data)
        picture = _PICTURE_CODES.get(self._codec)
        if picture is None:
            return b""
        start = bytes(data[:_HEADERS_WITHIN])
        headers, code, _ = start.partition(picture)
        if not code:
            return b""
        # The header of a group of pictures holds its time, which always changes.
        return headers.partition(_GROUP_CODES.get(self._codec, picture))[0]

    def _parameter_sets(self, data):
        pictures, parameters = self._kinds
        found = []
        for start, end in self._units(data):
            kind = self._kind(data, start)
            if kind in pictures:
                break
            if kind in parameters:
                found.append(bytes(data[start:end]).rstrip(b"\0"))
        return b"".join(found)

    def _kind(self, data, start):
        if self._codec == "h264":
            return data[start] & 31
        return data[start] >> 1 & 63 if self._codec == "hevc" else data[start + 1] >> 3

    def _units(self, data):
        """Begin and end of each unit, in turn; a unit is two bytes at least."""
        if self._length_size:
            yield from self._units_by_length(data)
            return
        content = bytes(data[:_HEADERS_WITHIN])
        place = content.find(b"\0\0\1")
        while 0 <= place < len(content) - 4:
            following = content.find(b"\0\0\1", place + 3)
            yield place + 3, following if following >= 0 else len(content)
            place = following

    def _units_by_length(self, data):
        place, width = 0, self._length_size
        while place + width + 2 <= len(data):
            size = int.from_bytes(data[place : place + width])
            yield place + width, place + width + size
            place += width + size


def _length_size(codec, extradata):
    """Bytes of the length before each unit, or 0 where start codes part them."""
    place = {"h264": 4, "hevc": 21, "vvc": 4}.get(codec, 0)
    if len(extradata) <= place or extradata[:3] in (b"\0\0\1", b"\0\0\0"):
        return 0
    if codec == "vvc":
        return (extradata[place] >> 1 & 3) + 1
    return (extradata[place] & 3) + 1
