"""The flags that all recipes have alike."""

from absl import flags

from keras_video.training.videos import SOURCES


def define_flags(*, row):
    """Defines the flags of a recipe whose bare run trains `row`.

    Returns:
        `absl.flags.FLAGS`, readable once `absl.app.run` has parsed the command line.
    """
    flags.DEFINE_string("row", row, "row of the zoo: its model, data settings and schedule")
    flags.DEFINE_string("train_list", None, "annotation file; the embedded dataset if not given")
    flags.DEFINE_string("val_list", None, "annotation file of the videos to evaluate on")
    flags.DEFINE_string("data_root", None, "folder that the paths of the lists are relative to")
    flags.DEFINE_enum("source", "auto", SOURCES, "what lists name; auto looks at the first line")
    flags.DEFINE_string("class_names", None, "file with a class name per line")
    flags.DEFINE_string("work_dir", None, "folder of the run; work_dirs/<row> if not given")
    flags.DEFINE_string(
        "init", None, "weights to start from: start (the row's), imagenet, a dataset, a row, a file"
    )
    flags.DEFINE_bool("resume", True, "go on with the run in the work folder, if there is one")
    flags.DEFINE_bool("validate", True, "evaluate during the training, not only at its end")
    flags.DEFINE_string("views", None, "clips x crops to evaluate with, as 10x3; else the row's")
    flags.DEFINE_integer("size", None, "crop size in pixels instead of the row's", 32)
    flags.DEFINE_integer("epochs", None, "epochs instead of the row's", 1)
    flags.DEFINE_integer("batch_size", None, "videos a step over all replicas", 1)
    flags.DEFINE_bool(
        "drop_remainder", True, "leave out the last batch of an epoch if it is smaller than others"
    )
    flags.DEFINE_integer("accumulate", None, "steps whose gradients are added up (one replica)", 2)
    flags.DEFINE_integer("eval_batch_size", 4, "videos evaluated at once", 1)
    flags.DEFINE_float("learning_rate", None, "rate for the row's batch size instead of its own")
    flags.DEFINE_float("ema", None, "evaluate and keep an average of the weights; momentum", 0, 1)
    flags.DEFINE_integer("seed", 0, "of weights, order and augmentation")
    flags.DEFINE_bool("deterministic", False, "bitwise repeatable, slower")
    flags.DEFINE_bool("mixed_precision", False, "float16 on GPU, bfloat16 on CPU; float32 head")
    flags.DEFINE_bool("dry_run", False, "one step on noise in the row's shapes; leaves nothing")
    flags.DEFINE_enum("on_error", "raise", ["raise", "skip", "replace"], "for unreadable videos")
    return flags.FLAGS
