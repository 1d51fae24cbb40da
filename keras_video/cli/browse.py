r"""Shows the clips that a training would get: augmented, resized, with their labels.

    keras-video browse --row tsn_r18_1x1x4_moving_shapes --out clips.png
    keras-video browse --row x3d_s_13x6x1_facebook_kinetics400_rgb --data clips --out clips.html

A `.png` is a contact sheet, a line of frames for each clip; a `.html` is a page on which they
play. The flags for the data are those of `keras-video train`.
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
    flags.group("What is shown")
    flags.string("row", None, "row of the zoo whose data settings make the clips", True)
    flags.choice("phase", "train", ["train", "test"], "augmented clips, or all views of a test")
    flags.integer("count", 16, "how many", 1)
    flags.integer("frames", 8, "of a clip in a contact sheet, at most", 1)
    flags.integer("size", None, "side of the crops in pixels")
    flags.integers("views", "clips x crops of a test, as 10x3", 2, "x")
    flags.integer("seed", 0, "of order and random draws")
    define_data_flags(flags)
    flags.group("Result")
    flags.string("out", "clips.png", "a .png (contact sheet) or a .html (page)")


def run(options, _):
    out = Path(options.out)
    if out.suffix not in ENDINGS:
        raise ValueError(f"out={options.out}: expected a name that ends in {' or '.join(ENDINGS)}.")
    settings = run_settings(options)
    clips, labels, class_names, normalize = browse(settings, options.phase, options.count)
    pictures = [shown_frames(clip, normalize) for clip in clips]
    captions = [label_caption(label, class_names) for label in labels]
    if out.suffix == ".html":
        write_page(out, f"{options.row}, {options.phase}", pictures, captions)
    else:
        sheet = contact_sheet(pictures, captions, options.frames)
        pillow().Image.fromarray(sheet).save(out)
    print(f"{len(clips)} clips are in {out}")
