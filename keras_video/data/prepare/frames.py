"""Videos as folders of images."""

from pathlib import Path

import tensorflow as tf

from keras_video.data.decoding.sequential import frames_in_order


def extract_frames(
    video, folder, template="img_{:05}.jpg", *, start_index=1, short_side=None, quality=95
):
    """Writes every frame of a video to a folder.

    Args:
        video: the file.
        folder: output folder; created if missing.
        template: file name of a frame, with one field for its number; jpg or png.
        start_index: number of the first frame.
        short_side: length in pixels that the short side is resized to; None keeps the size.
        quality: of jpg files, up to 100.

    Returns:
        The number of frames.

    Raises:
        DecodeError: the video is damaged.
    """
    count = 0
    for count, (_, frame) in enumerate(frames_in_order(video, short_side=short_side), start=1):  # noqa: B007
        write_image(Path(folder, template.format(start_index + count - 1)), frame, quality)
    return count


def write_image(path, image, quality=95):
    """Writes uint8 `(height, width, 3)`, or `(height, width, 1)`, to a .jpg or .png file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.device("CPU:0"):
        if path.suffix.lower() == ".png":
            data = tf.io.encode_png(image)
        else:
            data = tf.io.encode_jpeg(image, quality=quality)
    path.write_bytes(data.numpy())


def pairs_below(folder, out, find, suffix=""):
    """Pairs of a file in a folder and its target in another folder, at the same relative path.

    Args:
        folder: where the files are.
        out: where the targets go.
        find: function from a folder to the files in it, such as `Videos().find`.
        suffix: extension of the targets, replacing that of the files.

    Raises:
        ValueError: there are no files, or two differ only by their extension.
    """
    files = find(Path(folder))
    if not files:
        raise ValueError(f"received {folder}, which holds no files of this kind")
    pairs = [(file, Path(out, file.relative_to(folder)).with_suffix(suffix)) for file in files]
    sources = {}
    for file, target in pairs:
        other = sources.setdefault(target, file)
        if other != file:
            raise ValueError(
                f"received {other} and {file}, which would both become {target}: expected files "
                "that differ by more than their extension"
            )
    return pairs
