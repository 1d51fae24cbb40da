r"""Trains a small classifier on frozen features, in seconds and on few clips.

Your own clips, in a folder with a sub-folder for each class:

    keras-video probe --data clips --row tsn_r50_1x1x8_100e_kinetics400_rgb --work_dir probes/tsn

Lists of `path label` lines, and your own model:

    keras-video probe --train_list train.txt --val_list val.txt --data_root videos \
        --model runs/tsn/model.keras --head knn

The features of each video are computed once and cached on disk, so an interrupted run resumes and
training another head takes seconds. Cross-validation estimates the accuracy of the head and shows
which classes it confuses and which clips are probably mislabeled. The work folder then contains
`model.keras` (network and head, for `keras-video predict --model` and `keras_video.load_model`),
`report.json` and `suspects.csv`. With `--engine ray`, several processes compute the features.
"""

import dataclasses
from pathlib import Path

from keras_video import atomic
from keras_video.cli.long_lists import define_engine_flags, engine_of
from keras_video.cli.models import chosen_model, define_model_flags
from keras_video.inference.video import protocol_of
from keras_video.probes.examples import ExampleSettings, find_examples
from keras_video.probes.heads import HEADS
from keras_video.probes.probing import probe, seconds_text
from keras_video.probes.reports import report_json
from keras_video.training.saving import save_model
from keras_video.training.settings import SOURCES

INTERRUPTED = "Stopped: run again to resume; computed features are cached."


def define(flags):
    define_model_flags(flags)
    define_example_flags(flags)
    define_head_flags(flags)
    define_engine_flags(flags, ("ray",))
    flags.group("Results")
    flags.string("work_dir", "work_dirs/probe", "folder for the model and the report")


def define_example_flags(flags, held_out=True):
    """Defines the flags for labeled videos.

    Args:
        flags: the `Flags` of a command.
        held_out: whether to define `--val_list`, for held-out videos.
    """
    flags.group("Labeled videos")
    flags.string("data", None, "folder with a sub-folder of videos for each class")
    flags.string("train_list", None, "list, class folders or shards, in place of --data")
    if held_out:
        flags.string(
            "val_list",
            None,
            "list, class folders or shards of held-out videos to evaluate on as well",
        )
    flags.string("data_root", None, "folder that the listed paths are relative to")
    flags.choice(
        "source", "auto", SOURCES, "what the listed paths are; auto inspects the first line"
    )
    flags.string("class_names", None, "file with a class name per line")
    flags.choice("on_error", "raise", ["raise", "skip"], "what to do with unreadable videos")


def define_head_flags(flags, validated=True):
    """Defines the flags for training a head.

    Args:
        flags: the `Flags` of a command.
        validated: whether to define `--folds`, for cross-validation.
    """
    flags.group("Probe")
    flags.choice("head", "linear", HEADS, "type of classifier")
    flags.integers("views", "clips x crops per video; 1x1 if not given", 2, "x")
    if validated:
        flags.integer("folds", 5, "number of cross-validation folds", 2)
    flags.switch("balanced", True, "weight all classes equally, however many clips they have")
    flags.integer("neighbors", 5, "knn: number of neighbors that vote", 1)
    flags.integer("seed", 0, "random seed of the folds and of the training of an attentive head", 0)
    flags.string("cache", None, "folder for cached features; in the Keras home if not given")


def head_settings(options):
    """The arguments of `probe` from the flags of `define_head_flags`.

    Raises:
        ValueError: for a flag that does not apply to the head.
    """
    if "neighbors" in options.given and options.head != "knn":
        raise ValueError(
            f"--neighbors={options.neighbors}: has no effect with --head={options.head}."
        )
    validated = {"folds": options.folds} if hasattr(options, "folds") else {}
    return {
        **validated,
        "head": options.head,
        "views": options.views or (1, 1),
        "balanced": options.balanced,
        "neighbors": options.neighbors,
        "seed": options.seed,
        "cache": options.cache,
        "on_error": options.on_error,
    }


def example_settings(options):
    """The `ExampleSettings` from the flags of `define_example_flags`."""
    names = [field.name for field in dataclasses.fields(ExampleSettings)]
    given = {name: getattr(options, name) for name in names if hasattr(options, name)}
    return ExampleSettings(**given)


def run(options, _):
    engine = engine_of(options)
    settings, chosen = example_settings(options), head_settings(options)
    model = chosen_model(options)
    examples = find_examples(settings, protocol_of(model))
    result = probe(
        model,
        examples.records,
        examples.class_names,
        held_out=examples.held_out,
        source=examples.source,
        engine=engine,
        **chosen,
    )
    folder = Path(options.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(result.model, folder / "model.keras")
    held_out = None if result.held_out is None else result.held_out.facts()
    facts = {**result.facts, "cross_validation": result.report.facts(), "held_out": held_out}
    atomic.write_text(folder / "report.json", report_json(facts))
    atomic.write_text(folder / "suspects.csv", result.report.suspects_csv(), "surrogateescape")
    print(f"\nCross-validation of the {options.head} head:\n{result.report.text()}")
    if result.held_out is not None:
        print(f"\nVideos of {options.val_list}:\n{result.held_out.text()}")
    print(f"\n{seconds_text(result.facts)}\nThe model and the report are in {folder}")
    failed = result.features.failed
    return len(failed) and f"{len(failed)} of {len(examples.records)} videos could not be read."
