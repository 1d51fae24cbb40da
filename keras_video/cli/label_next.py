r"""Says which unlabeled clips to label next, so that few labels do much.

A head is trained on the clips that are labeled, see `keras-video probe`, and the clips are chosen
that it knows least about:

    keras-video label-next unlabeled --data clips --row tsn_r50_1x1x8_100e_kinetics400_rgb \
        --count 20 --out next.txt --export label-studio

Without labels yet, clips that differ most from each other:

    keras-video label-next unlabeled --model model.keras --strategy core-set --out next.txt

The list has a path per line, the most wanted clip first. Clips that are among the labeled ones
already, under whatever name, are left out. `--export csv` and `--export label-studio` write a table
and the tasks of Label Studio beside it, with the most probable class of each clip.
"""

from pathlib import Path

import numpy as np

from keras_video import atomic, data
from keras_video.cli.long_lists import define_engine_flags, engine_of, refuse_flags
from keras_video.cli.models import chosen_model, define_model_flags
from keras_video.cli.probe import (
    define_example_flags,
    define_head_flags,
    example_settings,
    head_settings,
)
from keras_video.inference.video import protocol_of
from keras_video.probes.bodies import ProbeBody
from keras_video.probes.examples import find_examples
from keras_video.probes.extraction import extract_features
from keras_video.probes.label_files import (
    EXPORTS,
    LOCAL_FILES,
    labeling_config,
    write_export,
    write_list,
)
from keras_video.probes.selection import STRATEGIES, rank_unlabeled
from keras_video.probes.validation import fit_videos, video_scores

TAKES_ARGUMENTS = True


def define(flags):
    define_model_flags(flags)
    flags.group("Unlabeled videos: folders and files, given as arguments")
    flags.choice("strategy", "margin", STRATEGIES, "how clips are chosen")
    flags.integer("count", 20, "clips to choose", 1)
    define_example_flags(flags, held_out=False)
    define_head_flags(flags, validated=False)
    define_engine_flags(flags, ("ray",))
    flags.group("Results")
    flags.string("out", None, "file for the list of paths", required=True)
    flags.words("export", [], f"files beside the list, for annotation tools: {', '.join(EXPORTS)}")
    flags.string("url_root", None, "label-studio: folder that is served; the first argument's")
    flags.string("url_prefix", LOCAL_FILES, "label-studio: what the addresses begin with")


def run(options, arguments):
    _check(options, arguments)
    engine_of(options)
    model = chosen_model(options)
    labeled, examples = _labeled(options, model)
    unlabeled, known = _unlabeled(options, arguments, model, labeled, examples)
    scores = names = None
    if labeled is not None:
        names = examples.class_names
        scores = _scores(options, model, labeled, unlabeled, len(names))
    candidates = rank_unlabeled(
        options.strategy,
        _vectors(unlabeled),
        scores=scores,
        labeled=None if labeled is None else _vectors(labeled),
        count=options.count,
    )
    _write(options, arguments, unlabeled, candidates, names)
    print(f"\n{len(candidates)} of {len(unlabeled)} unlabeled videos are in {options.out}")
    if known:
        print(f"{known} videos are labeled already and were left out.")
    failed = len(unlabeled.failed) + (0 if labeled is None else len(labeled.failed))
    return failed and f"{failed} videos could not be read."


def _check(options, arguments):
    """Refuses what cannot be served, before any work begins."""
    if not arguments:
        raise ValueError("received no unlabeled videos, expected folders or files.")
    for kind in options.export:
        if kind not in EXPORTS:
            raise ValueError(f"--export={kind}: expected some of {', '.join(EXPORTS)}.")
    if "label-studio" not in options.export:
        refuse_flags(options, ("url_root", "url_prefix"), "without --export=label-studio")
    if options.data or options.train_list:
        return
    if options.strategy != "core-set":
        raise ValueError(
            f"--strategy={options.strategy}: needs labeled videos, --data or --train_list, which "
            "the classifier is trained on; --strategy=core-set does without."
        )
    idle = ("data_root", "class_names", "head", "balanced", "neighbors", "seed")
    refuse_flags(options, idle, "without --data or --train_list")


def _labeled(options, model):
    """The features of the labeled videos, and these; `None` twice without labels."""
    if not (options.data or options.train_list):
        return None, None
    examples = find_examples(example_settings(options), protocol_of(model))
    print(f"{len(examples.records)} labeled videos:")
    return _extract(options, model, examples.records, examples.source), examples


def _unlabeled(options, arguments, model, labeled, examples):
    """The features of the unlabeled videos, and how many were left out as labeled already."""
    paths = [str(path) for one in arguments for path in data.video_files(one)]
    if not paths:
        raise ValueError(f"received {arguments}, which have no videos.")
    print(f"{len(paths)} unlabeled videos:")
    source = None if examples is None else examples.source
    found = _extract(options, model, [data.Record(path, (0,)) for path in paths], source)
    known = set() if labeled is None else set(labeled.keys)
    fresh = [index for index, key in enumerate(found.keys) if key not in known]
    first = {found.keys[index]: index for index in reversed(fresh)}
    if not first:
        raise ValueError(f"received {len(found)} videos, all of which are labeled already.")
    return found.part(sorted(first.values())), len(found) - len(fresh)


def _extract(options, model, records, source):
    body = ProbeBody(model, options.head == "attentive", options.views or (1, 1))
    return extract_features(
        body,
        records,
        source=source,
        cache=options.cache,
        on_error=options.on_error,
        engine=engine_of(options),
    )


def _scores(options, model, labeled, unlabeled, classes):
    """Probabilities of the unlabeled videos, from a head that is trained on the labeled ones."""
    chosen = head_settings(options)
    settings = {name: chosen[name] for name in ("balanced", "neighbors", "seed")}
    head = fit_videos(options.head, labeled.features, labeled.labels, classes, **settings)
    return video_scores(head, unlabeled.features, protocol_of(model).score_average)


def _vectors(videos):
    """One vector per video: the mean over its views, and over tokens."""
    features = videos.features.astype(np.float32)
    return features.mean(tuple(range(1, features.ndim - 1)))


def _write(options, arguments, unlabeled, candidates, names):
    videos = [unlabeled.records[one.index].path for one in candidates]
    write_list(options.out, videos)
    first = Path(arguments[0])
    root = options.url_root or (first if first.is_dir() else first.parent)
    for kind in options.export:
        path = write_export(
            kind, options.out, videos, candidates, names, root=root, url_prefix=options.url_prefix
        )
        print(f"{kind}: {path}")
    if "label-studio" in options.export and names is not None:
        config = Path(options.out).with_suffix(".label-studio.xml")
        atomic.write_text(config, labeling_config(names))
        print(f"labeling interface: {config}")
