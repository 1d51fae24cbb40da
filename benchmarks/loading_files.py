"""Creates the files that a case of the loading benchmark reads, from the clips."""

from pathlib import Path

from loading_worker import TEMPLATE

# Frames are stored at the size that the case's transforms need, as in published datasets.
SHORT_SIDE = 256


def write_list(case, records, folder, times=1):
    """Creates the files of a case and a list of them.

    Args:
        case: one of `loading_worker.CASES`.
        records: `keras_video.data.Record` objects of video files.
        folder: an empty folder, for the files and the list.
        times: how often the whole list is repeated.

    Returns:
        Path of the list, whose lines are `path frames label`.
    """
    make = {"frames": _frames, "audio": _audio}.get(case, _video)
    lines = []
    for number, record in enumerate(records):
        path, count = make(Path(record.path).resolve(), Path(folder, str(number)))
        lines.append(f"{path} {count} {record.labels[0]}\n")
    file = Path(folder, "list.txt")
    file.write_text("".join(lines) * times)
    return file


def _video(video, _):
    from keras_video.data.decoding.videos import open_video

    return video, open_video(video).total_frames


def _frames(video, target):
    from keras_video.data.prepare.frames import extract_frames

    return target, extract_frames(video, target, TEMPLATE, short_side=SHORT_SIDE)


def _audio(video, target):
    from keras_video.data.decoding.videos import open_video
    from keras_video.data.prepare.audio import extract_wav

    target = target.with_suffix(".wav")
    extract_wav(video, target)
    return target, open_video(video).total_frames
