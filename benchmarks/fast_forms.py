"""Compares the forms of fast inference with plain `predict_on_batch`, family by family.

    python benchmarks/fast_forms.py [--families c3d x3d] [--full] [--rounds 7]

Prints for every family how many times faster each form is than `predict_on_batch` of the unchanged
model: the median of rounds in which all forms take turns, and the quartiles; 1 is equally fast. The
exit status is 1 if the upper quartile of a form is below 0.95: the same network timed against
itself gives 0.95 to 1.05.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras_video  # noqa: E402, F401, I001  (first: it configures TensorFlow)
import keras  # noqa: E402
from keras_video.inference import fold_batch_norm, compile_frozen, winograd_model  # noqa: E402
from tests.applications import families  # noqa: E402

# The lowest upper quartile of a form that counts as no slower than plain.
NOISE = 0.95


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--families", nargs="+", default=list(families.ALL), choices=families.ALL)
    parser.add_argument(
        "--full", action="store_true", help="full-depth networks instead of shallow ones"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="seconds per form and round")
    return parser


def forms(model):
    """`{name: function of clips}`; plain `predict_on_batch` comes first."""
    folded = fold_batch_norm(model)
    fast = winograd_model(folded)
    return {
        "plain": model.predict_on_batch,
        "fold_batch_norm": folded.predict_on_batch,
        "winograd_model": winograd_model(model).predict_on_batch,
        "both": fast.predict_on_batch,
        "compile_frozen": compile_frozen(model),
        "frozen, folded": compile_frozen(folded),
        "frozen, both": compile_frozen(fast),
    }


def seconds(function, clips, least):
    """Median seconds of a call, over calls that take at least `least` seconds in total."""
    taken = []
    while sum(taken) < least or len(taken) < 3:
        begin = time.perf_counter()
        function(clips)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def ratios(name, rounds, least, build):
    """`{form: (low, median, high)}`: quartiles of its speedup over plain."""
    model, clips = build(name), families.clips(name)
    families.randomize(model)
    functions = forms(model)
    for function in functions.values():
        function(clips)
    measurements = [
        {form: seconds(function, clips, least) for form, function in functions.items()}
        for _ in range(rounds)
    ]
    return {
        form: tuple(
            statistics.quantiles([times["plain"] / times[form] for times in measurements], n=4)
        )
        for form in list(functions)[1:]
    }


def main():
    args = build_parser().parse_args()
    slower, head = [], None
    build = families.build_full_depth if args.full else families.build
    for name in args.families:
        quartiles = ratios(name, args.rounds, args.seconds, build)
        keras.backend.clear_session()
        if head is None:
            head = list(quartiles)
            print(f"| family | {' | '.join(head)} |", "| --- |" + " --- |" * len(head), sep="\n")
        cells = (f"{middle:.2f} ({low:.2f}-{high:.2f})" for low, middle, high in quartiles.values())
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        slower += [f"{name}: {form}" for form, (_, _, high) in quartiles.items() if high < NOISE]
    print(f"slower than predict_on_batch: {', '.join(slower) or 'none'}")
    sys.exit(bool(slower))


if __name__ == "__main__":
    main()
