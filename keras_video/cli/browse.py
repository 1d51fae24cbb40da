r"""Shows clips as training receives them: augmented, resized, with their labels.

    keras-video browse --row tsn_r18_1x1x4_moving_shapes --out clips.png
    keras-video browse --row x3d_s_13x6x1_facebook_kinetics400_rgb --data clips --out clips.html

A `.png` is a contact sheet with a row of frames per clip; a `.html` is a page that plays the clips.
The data flags are those of `keras-video train`.
"""

from pathlib import Path

from keras_video.cli.run_settings import define_data_flags, run_settings
from keras_video.inference.contact_sheets import (
    contact_sheet,
    label_caption,
    shown_frames,
    write_page,
)
from keras_video.inference.drawing import pillow
from keras_video.training.browsing import browse

ENDINGS = (".png", ".html")


def define(flags):
    flags.group("Clips")
    flags.string("row", None, "zoo row that defines the data pipeline", True)
    flags.choice("phase", "train", ["train", "test"], "augmented training clips, or all test views")
    flags.integer("count", 16, "number of clips", 1)
    flags.integer("frames", 8, "maximum frames per clip in a contact sheet", 1)
    flags.integer("size", None, "crop size in pixels")
    flags.integers("views", "test views as clips x crops, such as 10x3", 2, "x")
    flags.integer("seed", 0, "random seed of shuffling and augmentation")
    define_data_flags(flags)
    flags.group("Output")
    flags.string("out", "clips.png", ".png (contact sheet) or .html (page) file")


def run(options, _):
    out = Path(options.out)
    if out.suffix not in ENDINGS:
        raise ValueError(
            f"out={options.out}: expected a file name ending in {' or '.join(ENDINGS)}."
        )
    settings = run_settings(options)
    clips, labels, class_names, normalize = browse(settings, options.phase, options.count)
    images = [shown_frames(clip, normalize) for clip in clips]
    captions = [label_caption(label, class_names) for label in labels]
    if out.suffix == ".html":
        write_page(out, f"{options.row}, {options.phase}", images, captions)
    else:
        sheet = contact_sheet(images, captions, options.frames)
        pillow().Image.fromarray(sheet).save(out)
    print(f"{len(clips)} clips are in {out}")
