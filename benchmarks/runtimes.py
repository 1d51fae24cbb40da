"""Compares Keras with what a user would pick instead: PyTorch's forms and other runtimes.

    python benchmarks/runtimes.py --peer_python peer/bin/python --json runtimes.json
    python benchmarks/runtimes.py --peer_python peer/bin/python --mode train --json train.json

For a row of every family and each batch size, in one run and in turn. Inference: plain Keras and
`inference.optimize`; ONNX Runtime and OpenVINO on our export; the original in PyTorch eager mode,
with weights in channels_last, through `torch.compile`, and in both runtimes by its own export.
Training (`--mode train`): the step of `fit` beside PyTorch's own three forms, with `--bfloat16` in
mixed precision and under autocast. This Python needs the extras `onnx` and `openvino`, the other
one a C++ compiler in addition to the packages of peer_environment.py. Originals of MMAction2 1.2
and of the TensorFlow Model Garden need `--mmaction2_1_python` and `--model_garden_python`; without
these their cases are skipped and reported. Cases already in the JSON are not measured again;
`--families` selects rows by parts of their names, `--sides` selects sides.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import harness
import report
from models import HERE, OUR_SIDE, PEER_SIDE, add_harness_flags
from process import Worker, WorkerError
from runtime_cases import CASES, EXPORTED, GARDEN, MMACTION2_1, MODEL_GARDEN, PYTORCH

KERAS = "Keras"
# Our sides with script and flags; the others are compared with the first.
OURS = {
    "inference": {
        "optimize": ["runtime_side.py", "--form", "optimize"],
        KERAS: ["runtime_side.py", "--form", "keras"],
        "ONNX Runtime": ["runtime_side.py", "--form", "onnx"],
        "OpenVINO": ["runtime_side.py", "--form", "openvino"],
    },
    "train": {KERAS: ["keras_model.py", "--mode", "train"]},
}
BATCHES = {"inference": (1, 8), "train": (1,)}


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add_case_flags(parser)
    add_harness_flags(parser)
    parser.set_defaults(rounds=3, seconds=1.0, json="runtimes.json")
    return parser


def add_case_flags(parser):
    """Adds the flags that select what is run, and the Pythons besides `--peer_python`."""
    parser.add_argument("--mode", choices=tuple(OURS), default="inference")
    parser.add_argument("--families", nargs="+", default=[""], help="parts of row names")
    parser.add_argument("--bfloat16", action="store_true", help="train in mixed precision")
    parser.add_argument(
        "--batches", nargs="+", type=int, help="batch sizes; default: 1 8, or 1 to train"
    )
    parser.add_argument("--sides", nargs="+", help="names of sides; default: all")
    parser.add_argument("--mmaction2_1_python", help="Python of MMAction2 1.2")
    parser.add_argument("--model_garden_python", help="Python of the TensorFlow Model Garden")


def selected_cases(args, failed):
    """Yields the rows and cases of `--families`; adds those without a Python to `failed`."""
    if args.bfloat16 and args.mode != "train":
        sys.exit(f"--bfloat16: received --mode {args.mode}, expected train")
    for row, case in CASES.items():
        if not any(part in row for part in args.families):
            continue
        if peer_python(args, case.project) is None:
            failed.append(f"{row}: expected the Python of {case.project}, received none.")
            continue
        yield row, case


def peer_python(args, project):
    """The Python of the environment that has a project, or None."""
    others = {MMACTION2_1: args.mmaction2_1_python, MODEL_GARDEN: args.model_garden_python}
    return others.get(project, args.peer_python)


def workers(args, row, shape):
    """Yields the sides as `(name, function that starts it)`; ours first."""
    precision = ["--bfloat16"] if args.bfloat16 else []
    for name, (script, *flags) in OURS[args.mode].items():
        command = [sys.executable, HERE / script, "--row", row, "--shape", shape, *flags]
        command += precision
        yield name, lambda name=name, command=command: Worker(name, command, environment=OUR_SIDE)
    case = CASES[row]
    python, (command, forms) = peer_python(args, case.project), case.peer_command(args.mode)
    for name, flags in forms.items():
        words = [python, *command, "--shape", shape, *flags, *precision]
        yield name, lambda name=name, words=words: Worker(name, words, environment=PEER_SIDE)


def start_sides(args, row, shape, missing):
    """Yields the sides that could be started; adds the errors of the others to `missing`.

    The first one starts alone, as it measures forms against each other. The others start in
    pairs: their startup mostly keeps one core busy.
    """
    starters = [
        begin for name, begin in workers(args, row, shape) if name in (args.sides or [name])
    ]
    for group in (starters[:1], *(starters[at : at + 2] for at in range(1, len(starters), 2))):
        for side in [begin() for begin in group]:
            try:
                side.wait_ready()
            except WorkerError as error:
                side.close()
                missing[side.name] = str(error)[-600:]
                print(f"{side.name}: {missing[side.name].strip().splitlines()[0][:200]}")
                continue
            print(
                f"{side.name}: {', '.join(f'{k} {v}' for k, v in side.facts.items())}", flush=True
            )
            yield side


def measure_case(args, row, shape):
    """The entry of a case in the JSON."""
    start, sides, missing = time.monotonic(), [], {}
    first = next(iter(OURS[args.mode]))
    try:
        sides.extend(start_sides(args, row, shape, missing))
        if not sides or sides[0].name != first:
            raise WorkerError(f"{row}: {missing.get(first, 'no side could be started')}")
        comparison = harness.compare(
            sides, rounds=args.rounds, seconds=args.seconds, busy_limit=args.busy_limit
        )
    finally:
        for side in sides:
            side.close()
    print(report.table(comparison), flush=True)
    return {
        "shape": shape,
        "undisturbed": len(comparison.quiet),
        "rounds": len(comparison.rounds),
        "minutes": (time.monotonic() - start) / 60,
        "milliseconds": {
            side.name: 1e3 * comparison.seconds(i).median for i, side in enumerate(sides)
        },
        "fastest": {side.name: 1e3 * comparison.fastest(i) for i, side in enumerate(sides)},
        "over_first": {side.name: comparison.ratio(i).median for i, side in enumerate(sides)},
        "facts": {side.name: side.facts for side in sides},
        "missing": missing,
    }


def table(cases, mode="inference"):
    """Lines of a Markdown table of `{name: result of measure_case}`; the geometric mean is last.

    "best other" is a ratio of the medians, "of the fastest" one of the fastest repetitions.
    """
    first = next(iter(OURS[mode]))
    sides = [*OURS[mode], *PYTORCH, *(() if mode == "train" else EXPORTED), *GARDEN]
    columns = ["best other", "of the fastest", "over eager", "over best original", "chosen"]
    lines = [f"| milliseconds | {' | '.join([*sides, *columns])} |"]
    lines.append("| --- |" + " ---: |" * (len(sides) + len(columns) - 1) + " --- |")
    means = {name: [] for name in columns[:-1]}
    for name, case in cases.items():
        ratios = case["over_first"]
        others = [side for side in ratios if side != first]
        fastest = _least(case["fastest"], others)
        row_ratios = {
            "best other": _least(ratios, others),
            "of the fastest": fastest and fastest / case["fastest"][first],
            "over eager": ratios.get("PyTorch eager"),
            "over best original": _least(ratios, [*PYTORCH, *GARDEN]),
        }
        for column, ratio in row_ratios.items():
            means[column] += [ratio] if ratio else []
        cells = [_number(case["milliseconds"].get(side), ".0f") for side in sides]
        cells += [_number(ratio, ".2f") for ratio in row_ratios.values()]
        cells.append(case["facts"][first].get("form", "–"))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    mean = [_number(statistics.geometric_mean(ratios) if ratios else None, ".2f")
            for ratios in means.values()]  # fmt: skip
    lines.append(f"| geometric mean |{' |' * len(sides)} {' | '.join(mean)} | |")
    if means["best other"]:
        least = [f"{min(means[name]):.2f}" for name in ("best other", "of the fastest")]
        lines += [
            "",
            f"Lowest ratio to the best other: {least[0]}; of the fastest repetitions: {least[1]}.",
        ]
    return "\n".join(lines)


def _least(ratios, sides):
    return min((ratios[side] for side in sides if side in ratios), default=None)


def _number(value, form):
    return "–" if value is None else f"{value:{form}}"


def main():
    args = build_parser().parse_args()
    path = Path(args.json)
    cases = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    print(report.machine(), flush=True)
    failed = []
    for row, case in selected_cases(args, failed):
        for batch in args.batches or BATCHES[args.mode]:
            name = f"{row}, {batch}"
            if name in cases:
                continue
            print(f"\n{name}", flush=True)
            try:
                cases[name] = measure_case(args, row, f"{batch},{case.shape}")
            except WorkerError as error:
                failed.append(f"{name}: {error}")
                continue
            path.write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
    print(f"\n{table(cases, args.mode)}")
    sys.exit("\n".join(failed) or 0)


if __name__ == "__main__":
    main()
