"""Spans as ELAN writes them (`.eaf`)."""

import urllib.parse

from ..annotations.records import AnnotationError
from .records import FileSpans, VideoSpans, checked_span
from .xml_text import read_xml, whole_number

_ALIGNED, _REFERRING = "ALIGNABLE_ANNOTATION", "REF_ANNOTATION"


def elan_spans(file, frame_rate=None, tier=None):
    """Reads an ELAN file of one video.

    The text of an annotation is its class; annotations without text are of the class that their
    tier is called. Annotations that refer to others have the times of these. Times between two
    that are set are spread evenly, as ELAN shows them.

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
    slots, found = _time_slots(root), VideoSpans(name, root.source)
    tiers = [one for one in root.all("TIER") if tier in (None, one.get("TIER_ID"))]
    if not tiers:
        names = [one.get("TIER_ID") for one in root.all("TIER")]
        raise AnnotationError(f"{file}: received tier {tier!r}, expected one of {names}")
    times = _times(root, slots)
    for one in tiers:
        for annotation in _annotations(one):
            start, end = times[annotation.get("ANNOTATION_ID")]
            label = annotation.inside("ANNOTATION_VALUE") or one.get("TIER_ID")
            span = ((start + origin) / 1000, (end + origin) / 1000)
            found.spans.append(checked_span(annotation.source, label, *span))
    return FileSpans([found])


def _media(root):
    """The name of the video, and the milliseconds of it that come before time 0."""
    for header in root.all("HEADER"):
        units = header.attributes.get("TIME_UNITS", "milliseconds")
        if units != "milliseconds":
            raise AnnotationError(
                f"{header.source}: received TIME_UNITS {units!r}, expected 'milliseconds'"
            )
        media = header.all("MEDIA_DESCRIPTOR")
        media.sort(key=lambda one: not one.attributes.get("MIME_TYPE", "video").startswith("video"))
        for one in media:
            address = one.attributes.get("RELATIVE_MEDIA_URL") or one.get("MEDIA_URL")
            path = urllib.parse.unquote(urllib.parse.urlsplit(address).path or address)
            origin = whole_number(one.source, "TIME_ORIGIN", one.attributes.get("TIME_ORIGIN", "0"))
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
            before = max((one for one in known if one < number), default=None)
            after = min((one for one in known if one > number), default=None)
            if before is None or after is None:
                raise AnnotationError(
                    f"{slots[number].source}: received a <TIME_SLOT> without TIME_VALUE that lies "
                    "between no others"
                )
            share = (number - before) / (after - before)
            values[number] = values[before] + share * (values[after] - values[before])
    return {slot.get("TIME_SLOT_ID"): value for slot, value in zip(slots, values, strict=True)}


def _annotations(tier):
    return [each for one in tier.all("ANNOTATION") for each in one.all(_ALIGNED, _REFERRING)]


def _times(root, slots):
    """`{annotation: (start, end)}` in milliseconds, of all tiers."""
    every = [one for tier in root.all("TIER") for one in _annotations(tier)]
    found = {}
    for one in every:
        if one.tag == _ALIGNED:
            names = [one.get(f"TIME_SLOT_REF{number}") for number in (1, 2)]
            missing = [name for name in names if name not in slots]
            if missing:
                raise AnnotationError(f"{one.source}: received no <TIME_SLOT> {missing[0]!r}")
            found[one.get("ANNOTATION_ID")] = tuple(slots[name] for name in names)
    waiting = [one for one in every if one.tag == _REFERRING]
    while waiting:
        ready = [one for one in waiting if one.get("ANNOTATION_REF") in found]
        if not ready:
            raise AnnotationError(
                f"{waiting[0].source}: received a reference to "
                f"{waiting[0].get('ANNOTATION_REF')!r}, expected an annotation with times"
            )
        for one in ready:
            found[one.get("ANNOTATION_ID")] = found[one.get("ANNOTATION_REF")]
        waiting = [one for one in waiting if one not in ready]
    return found
