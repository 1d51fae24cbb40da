"""Spans in ELAN files (`.eaf`)."""

import urllib.parse

from ..annotations.records import AnnotationError
from .records import FileSpans, VideoSpans, checked_span
from .xml_text import read_xml, whole_number

_ALIGNED, _REFERRING = "ALIGNABLE_ANNOTATION", "REF_ANNOTATION"


def elan_spans(file, frame_rate=None, tier=None):
    """Reads an ELAN file of one video.

    The text of an annotation is its class; annotations without text have the name of their tier as
    class. Annotations that refer to others have the times of those. Unset time slots are
    interpolated between set ones, as ELAN displays them.

    Args:
        file: the `.eaf` file.
        tier: name of the tier to read; None reads all of them.

    Raises:
        AnnotationError: naming the line, also for document types, which `.eaf` files do not have.
    """
    root = read_xml(file)
    if root.tag != "ANNOTATION_DOCUMENT":
        raise AnnotationError(
            f"{root.source}: received <{root.tag}>, expected <ANNOTATION_DOCUMENT>"
        )
    name, origin = _media(root)
    slots, video = _time_slots(root), VideoSpans(name, root.source)
    tiers = [element for element in root.all("TIER") if tier in (None, element.get("TIER_ID"))]
    if not tiers:
        names = [element.get("TIER_ID") for element in root.all("TIER")]
        raise AnnotationError(f"{file}: received tier {tier!r}, expected one of {names}")
    times = _times(root, slots)
    for element in tiers:
        for annotation in _annotations(element):
            start, end = times[annotation.get("ANNOTATION_ID")]
            label = annotation.inside("ANNOTATION_VALUE") or element.get("TIER_ID")
            span = ((start + origin) / 1000, (end + origin) / 1000)
            video.spans.append(checked_span(annotation.source, label, *span))
    return FileSpans([video])


def _media(root):
    """The name of the video, and its offset: milliseconds of video before time 0."""
    for header in root.all("HEADER"):
        units = header.attributes.get("TIME_UNITS", "milliseconds")
        if units != "milliseconds":
            raise AnnotationError(
                f"{header.source}: received TIME_UNITS {units!r}, expected 'milliseconds'"
            )
        media = header.all("MEDIA_DESCRIPTOR")
        media.sort(
            key=lambda file: not file.attributes.get("MIME_TYPE", "video").startswith("video")
        )
        for file in media:
            address = file.attributes.get("RELATIVE_MEDIA_URL") or file.get("MEDIA_URL")
            path = urllib.parse.unquote(urllib.parse.urlsplit(address).path or address)
            origin = file.attributes.get("TIME_ORIGIN", "0")
            origin = whole_number(file.source, "TIME_ORIGIN", origin)
            return path.removeprefix("./"), origin
    raise AnnotationError(f"{root.source}: received no <MEDIA_DESCRIPTOR>, expected the video")


def _time_slots(root):
    """`{id: milliseconds}`."""
    orders = root.all("TIME_ORDER")
    slots = [slot for order in orders for slot in order.all("TIME_SLOT")]
    values = [slot.whole("TIME_VALUE") if "TIME_VALUE" in slot.attributes else None
              for slot in slots]  # fmt: skip
    known = [number for number, value in enumerate(values) if value is not None]
    for number, value in enumerate(values):
        if value is None:
            before = max((index for index in known if index < number), default=None)
            after = min((index for index in known if index > number), default=None)
            if before is None or after is None:
                raise AnnotationError(
                    f"{slots[number].source}: received a <TIME_SLOT> without TIME_VALUE that is "
                    "not between two others"
                )
            fraction = (number - before) / (after - before)
            values[number] = values[before] + fraction * (values[after] - values[before])
    return {slot.get("TIME_SLOT_ID"): value for slot, value in zip(slots, values, strict=True)}


def _annotations(tier):
    return [
        annotation
        for element in tier.all("ANNOTATION")
        for annotation in element.all(_ALIGNED, _REFERRING)
    ]


def _times(root, slots):
    """`{annotation: (start, end)}` in milliseconds, of all tiers."""
    annotations = [item for tier in root.all("TIER") for item in _annotations(tier)]
    times = {}
    for annotation in annotations:
        if annotation.tag == _ALIGNED:
            names = [annotation.get(f"TIME_SLOT_REF{number}") for number in (1, 2)]
            missing = [name for name in names if name not in slots]
            if missing:
                raise AnnotationError(
                    f"{annotation.source}: received no <TIME_SLOT> {missing[0]!r}"
                )
            times[annotation.get("ANNOTATION_ID")] = tuple(slots[name] for name in names)
    pending = [item for item in annotations if item.tag == _REFERRING]
    while pending:
        ready = [item for item in pending if item.get("ANNOTATION_REF") in times]
        if not ready:
            raise AnnotationError(
                f"{pending[0].source}: received a reference to "
                f"{pending[0].get('ANNOTATION_REF')!r}, expected an annotation with times"
            )
        for item in ready:
            times[item.get("ANNOTATION_ID")] = times[item.get("ANNOTATION_REF")]
        pending = [item for item in pending if item not in ready]
    return times
