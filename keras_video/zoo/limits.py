"""Limits on preprocessing sizes: an untrusted saved model must not exhaust the memory."""

import math
from collections.abc import Mapping

# Least and greatest value; published are at most 30 clips, 64 frames and 320 pixels.
LIMITS = {
    "clip_len": (1, 4096),
    "frame_interval": (1, 100_000),
    "num_clips": (1, 4096),
    "num_sample_positions": (1, 4096),
    "sample_range": (1, 1_000_000),
    "view_frames": (1, 1_000_000),
    "max_views": (1, 1_000_000),
    "size": (1, 4096),
    "short_side": (1, 4096),
    "short_side_range": (1, 4096),
    "resize": (1, 8192),
    "num_fixed_crops": (1, 13),
    "length": (1, 1_000_000),
    "mels": (1, 4096),
    "sample_rate": (1, 1_000_000),
    "window_ms": (1, 60_000),
    "step_ms": (1, 60_000),
    "wave_samples": (1, 100_000_000),
}
# Frames of one video, and pixels of all its views. The largest published protocols have 640 and
# 63 million.
LARGEST_FRAMES = 10_000
LARGEST_PIXELS = 1 << 30
_WINDOWS = {"three": 3, "ten": 10}


def check_limits(facts, where):
    """Checks the sizes in a `Protocol.facts()`, whatever else it contains or omits.

    Args:
        facts: JSON values.
        where: their place, for errors.

    Raises:
        ValueError: naming the place, the value found and what was expected.
    """
    waiting = [(where, None, facts)]
    while waiting:
        place, key, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{place}.{inner}", inner, each) for inner, each in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(f"{place}[{i}]", key, each) for i, each in enumerate(value)]
        elif key in LIMITS and isinstance(value, int | float):
            _check_number(value, *LIMITS[key], place)
    _check_pixels(facts, where)


def _check_number(value, least, most, place):
    if isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{place}: found {value!r:.100}, expected {least} to {most}.")


def _check_pixels(facts, where):
    sampling, crop = _part(facts, "sampling"), _part(facts, "spatial", "crop")
    counts = {key: sampling.get(key) or 1 for key in ("clip_len", "num_clips")}
    if sampling.get("sampler") == "DenseSampleFrames":
        counts["num_sample_positions"] = sampling.get("num_sample_positions") or 10
    size = crop.get("size") or 1
    if not all(isinstance(count, int) for count in (*counts.values(), size)):
        return
    frames = math.prod([*counts.values(), 2 if sampling.get("twice_sample") else 1])
    views = _WINDOWS.get(str(crop.get("kind")), 1)
    pixels = frames * views * size**2
    if frames > LARGEST_FRAMES or pixels > LARGEST_PIXELS:
        sizes = ", ".join(f"{key} {count}" for key, count in counts.items())
        raise ValueError(
            f"{where}: found {sizes}, {views} crops of size {size}: {frames} frames and {pixels} "
            f"pixels of a video, expected at most {LARGEST_FRAMES} and {LARGEST_PIXELS}."
        )


def _part(facts, *keys):
    for key in keys:
        facts = facts.get(key) if isinstance(facts, Mapping) else None
    return facts if isinstance(facts, Mapping) else {}
