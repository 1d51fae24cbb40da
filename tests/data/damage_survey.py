"""Surveys how damaged videos are read: `damage_survey.py FOLDER [TRIALS]`.

Writes videos in several containers and codecs, damages each in many ways, reads every file, and
prints how many are read exactly, how many raise an error, how many are silently read with missing
or wrong frames, and how many of those `check_video` detects. `FOLDER/survey.csv` lists every file.
"""

import csv
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from keras_video.data import DecodeError, open_video
from keras_video.data.prepare.checking import check_video
from tests.videos import moving_gradient, write_video

FRAMES = 60
# FFmpeg options by file name, to encode the synthetic video.
BASES = {
    "h264.mp4": ["-c:v", "libx264", "-c:a", "aac"],
    "faststart.mp4": ["-c:v", "libx264", "-movflags", "+faststart"],
    "fragments.mp4": ["-c:v", "libx264", "-movflags", "frag_keyframe+empty_moov"],
    "h264.mkv": ["-c:v", "libx264", "-c:a", "aac"],
    "vp9.webm": ["-c:v", "libvpx-vp9", "-c:a", "libopus"],
    "mpeg4.avi": ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "h264.ts": ["-c:v", "libx264", "-c:a", "aac"],
    "mpeg2.ts": ["-c:v", "mpeg2video"],
    "h264.flv": ["-c:v", "libx264", "-c:a", "aac"],
}


def bases(folder):
    """Yields the intact videos, with audio, that this machine's `ffmpeg` can write."""
    plain = write_video(folder / "plain.mkv", moving_gradient(FRAMES, 64, 96), crf="10")
    for name, options in BASES.items():
        path = folder / f"whole_{name}"
        command = ["ffmpeg", "-v", "error", "-y", "-i", plain, "-f", "lavfi", "-i", "sine=440"]
        command += ["-shortest", "-g", "12", "-b:v", "400k", *options, path]
        if subprocess.run(list(map(str, command)), check=False).returncode == 0:
            yield name, path


def cut(fraction):
    return lambda data, random: data[: int(fraction * len(data))]


def cut_head(fraction):
    return lambda data, random: data[int(fraction * len(data)) :]


def flip(count):
    def damage(data, random):
        damaged = bytearray(data)
        for position in random.integers(len(data) // 20, len(data), count):
            damaged[position] ^= int(random.integers(1, 256))
        return bytes(damaged)

    return damage


def zeros(count):
    def damage(data, random):
        start = int(random.integers(len(data) // 20, len(data) - count))
        return data[:start] + bytes(count) + data[start + count :]

    return damage


def lose(count):
    def damage(data, random):
        start = int(random.integers(len(data) // 20, len(data) - count))
        return data[:start] + data[start + count :]

    return damage


def repeat(count):
    def damage(data, random):
        start = int(random.integers(len(data) // 20, len(data) - count))
        return data[: start + count] + data[start:]

    return damage


def longer(data, random):
    """Doubles the durations stated in the header."""
    damaged = bytearray(data)
    for mark, offset, size in ((b"mvhd", 20, 4), (b"mdhd", 20, 4), (b"tkhd", 24, 4)):
        start = data.find(mark)
        while start >= 0:
            field = slice(start + offset, start + offset + size)
            damaged[field] = (2 * int.from_bytes(damaged[field])).to_bytes(size)
            start = data.find(mark, start + 1)
    return _doubled(damaged, data)


def _doubled(damaged, data):
    matroska = data.find(b"\x44\x89\x88")
    if 0 <= matroska < 4096:
        field = slice(matroska + 3, matroska + 11)
        damaged[field] = (2 * np.frombuffer(damaged[field], ">f8")).astype(">f8").tobytes()
    flash = data.find(b"\x00\x08duration\x00")
    if flash >= 0:
        field = slice(flash + 11, flash + 19)
        damaged[field] = (2 * np.frombuffer(damaged[field], ">f8")).astype(">f8").tobytes()
    avi = data.find(b"avih")
    if avi >= 0:
        field = slice(avi + 8 + 16, avi + 8 + 20)
        damaged[field] = (2 * int.from_bytes(damaged[field], "little")).to_bytes(4, "little")
    return bytes(damaged)


DAMAGES = {
    "cut at 20 percent": cut(0.2),
    "cut at 50 percent": cut(0.5),
    "cut at 80 percent": cut(0.8),
    "cut at 97 percent": cut(0.97),
    "head cut": cut_head(0.1),
    "1 byte": flip(1),
    "5 bytes": flip(5),
    "40 bytes": flip(40),
    "500 zeros": zeros(500),
    "4000 zeros": zeros(4000),
    "700 bytes lost": lose(700),
    "700 bytes twice": repeat(700),
    "duration doubled": longer,
}


def frames_of(path):
    """All frames, or the error that reading them raises."""
    try:
        video = open_video(path)
        return video.read(range(video.total_frames))
    except DecodeError as error:
        return error


def check_error(path):
    """The message of the error that `check_video` raises, or an empty string."""
    try:
        check_video(path, time_limit=120)
    except DecodeError as error:
        return str(error)
    return ""


def outcome(path, expected):
    """The result of reading: "exact", "error", "wrong pixels" or "wrong count"."""
    frames = frames_of(path)
    if isinstance(frames, DecodeError):
        return "error"
    if len(frames) != len(expected):
        return "wrong count"
    return "exact" if np.array_equal(frames, expected) else "wrong pixels"


def survey(folder, trials=2):
    """`(base, damage, outcome, error of check_video or "")` of every damaged file."""
    folder, rows = Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    for name, whole in bases(folder):
        expected, data = frames_of(whole), whole.read_bytes()
        assert len(expected) == FRAMES and not check_error(whole), (name, check_error(whole))
        for kind, damage in DAMAGES.items():
            # Deterministic damage is tried only once, and damage without effect is skipped.
            drawn = [damage(data, np.random.default_rng([n, len(kind)])) for n in range(trials)]
            for number, damaged in enumerate(dict.fromkeys(drawn)):
                if damaged != data:
                    path = folder / f"{'_'.join(kind.split())}_{number}_{name}"
                    path.write_bytes(damaged)
                    rows.append((name, kind, outcome(path, expected), check_error(path)))
    return rows


def table(rows):
    """Yields lines with the outcomes per kind of damage, and how many the check detects."""
    yield f"{'':18}" + "".join(f"{word:>22}" for word in OUTCOMES)
    for column, title in ((1, "damage"), (0, "file")):
        for kind in dict.fromkeys(row[column] for row in rows):
            yield _line(kind, [row for row in rows if row[column] == kind])
        yield f"-- by {title}"
    yield _line("all", rows)


OUTCOMES = ("exact", "error", "wrong count", "wrong pixels")


def _line(title, rows):
    counts = Counter(row[2] for row in rows)
    detected = Counter(row[2] for row in rows if row[3])
    cells = (f"{counts[word]} ({detected[word]} detected)" for word in OUTCOMES)
    return f"{title:18}" + "".join(f"{cell:>22}" for cell in cells)


def main(folder, trials=2):
    rows = survey(folder, int(trials))
    with (Path(folder) / "survey.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    if shutil.which("ffmpeg") is None:
        raise SystemExit("damage_survey.py requires the ffmpeg program.")
    main(*sys.argv[1:])
