r"""Selects the unlabeled clips most worth labeling next (active learning).

A head is trained on the labeled clips, see `keras-video probe`, and the clips that it is least
certain about are selected:

    keras-video label-next unlabeled --data clips --row tsn_r50_1x1x8_100e_kinetics400_rgb \
        --count 20 --out next.txt --export label-studio

Without any labels yet, the clips that differ most from each other:

    keras-video label-next unlabeled --model model.keras --strategy core-set --out next.txt

The list has one path per line, the most valuable clip first. Clips that are already labeled, even
under another name, are left out. `--export csv` and `--export label-studio` write a table and Label
Studio tasks next to it, with the most probable class of each clip.
"""

from pathlib import Path

import numpy as np

from keras_video import atomic, data
from keras_video.cli.long_lists import define_engine_flags, engine_of, reject_flags
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
    flags.choice("strategy", "margin", STRATEGIES, "how clips are selected")
    flags.integer("count", 20, "number of clips to select", 1)
    define_example_flags(flags, held_out=False)
    define_head_flags(flags, validated=False)
    define_engine_flags(flags, ("ray",))
    flags.group("Results")
    flags.string("out", None, "file for the list of paths", required=True)
    flags.words("export", [], f"files to write next to the list: {', '.join(EXPORTS)}")
    flags.string(
        "url_root",
        None,
        "label-studio: folder that is served; that of the first argument if not given",
    )
    flags.string("url_prefix", LOCAL_FILES, "label-studio: prefix of the URLs")


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
        print(f"{known} videos are already labeled and were left out.")
    failed = len(unlabeled.failed) + (0 if labeled is None else len(labeled.failed))
    return failed and f"{failed} videos could not be read."


def _check(options, arguments):
    """Rejects invalid combinations of flags before any work begins."""
    if not arguments:
        raise ValueError("received no unlabeled videos, expected folders or files.")
    for kind in options.export:
        if kind not in EXPORTS:
            raise ValueError(f"--export={kind}: expected some of {', '.join(EXPORTS)}.")
    if "label-studio" not in options.export:
        reject_flags(options, ("url_root", "url_prefix"), "without --export=label-studio")
    if options.data or options.train_list:
        return
    if options.strategy != "core-set":
        raise ValueError(
            f"--strategy={options.strategy}: needs labeled videos to train the classifier on, "
            "--data or --train_list; --strategy=core-set needs none."
        )
    idle = ("data_root", "class_names", "head", "balanced", "neighbors", "seed")
    reject_flags(options, idle, "without --data or --train_list")


def _labeled(options, model):
    """The features of the labeled videos and the videos themselves; both `None` without labels."""
    if not (options.data or options.train_list):
        return None, None
    examples = find_examples(example_settings(options), protocol_of(model))
    print(f"{len(examples.records)} labeled videos:")
    return _extract(options, model, examples.records, examples.source), examples


def _unlabeled(options, arguments, model, labeled, examples):
    """The features of the unlabeled videos, and the number left out as already labeled."""
    paths = [str(path) for argument in arguments for path in data.video_files(argument)]
    if not paths:
        raise ValueError(f"received {arguments}, which contain no videos.")
    print(f"{len(paths)} unlabeled videos:")
    source = None if examples is None else examples.source
    features = _extract(options, model, [data.Record(path, (0,)) for path in paths], source)
    known = set() if labeled is None else set(labeled.keys)
    fresh = [index for index, key in enumerate(features.keys) if key not in known]
    first = {features.keys[index]: index for index in reversed(fresh)}
    if not first:
        raise ValueError(f"received {len(features)} videos, all of which are already labeled.")
    return features.part(sorted(first.values())), len(features) - len(fresh)


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
    """Probabilities of the unlabeled videos, from a head trained on the labeled ones."""
    chosen = head_settings(options)
    settings = {name: chosen[name] for name in ("balanced", "neighbors", "seed")}
    head = fit_videos(options.head, labeled.features, labeled.labels, classes, **settings)
    return video_scores(head, unlabeled.features, protocol_of(model).score_average)


def _vectors(videos):
    """One vector per video: the mean over its views and tokens."""
    features = videos.features.astype(np.float32)
    return features.mean(tuple(range(1, features.ndim - 1)))


def _write(options, arguments, unlabeled, candidates, names):
    videos = [unlabeled.records[candidate.index].path for candidate in candidates]
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
