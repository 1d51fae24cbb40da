"""Compares `optimize` with what a user would pick instead: PyTorch's forms and other runtimes.

    python benchmarks/runtimes.py --peer_python peer/bin/python --json runtimes.json

For a row of every family and each batch size, in one run and in turn: Keras as it is and
`inference.optimize`; ONNX Runtime and OpenVINO on our export; MMAction2 in PyTorch eager mode, with
weights in channels_last, and through `torch.compile`. This Python needs the extras `onnx` and
`openvino`, the other one a C++ compiler besides what peer_environment.py says. Cases that stand in
the JSON are not measured again; `--families` chooses rows by part of their names.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import families
import harness
import report
from models import HERE, OUR_SIDE, PEER_SIDE, harness_flags
from process import Worker, WorkerError

CASES = {
    **families.CASES[2],
    **families.CASES[3],
    "timesformer_divST_8x32x1_15e_kinetics400_rgb": "1,8,224,224,3",
}
OPTIMIZE = "optimize"
# Names of the sides and the flags of runtime_side.py, then of peer_mmaction2.py.
OURS = {OPTIMIZE: "optimize", "Keras": "keras", "ONNX Runtime": "onnx", "OpenVINO": "openvino"}
PYTORCH = {
    "PyTorch eager": [],
    "PyTorch channels_last": ["--channels_last"],
    "PyTorch compiled": ["--compile"],
}
SIDES = (*OURS, *PYTORCH)


def parser():
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    made.add_argument("--families", nargs="+", default=[""], help="parts of names of rows")
    made.add_argument("--batches", nargs="+", type=int, default=(1, 8), help="clips at a time")
    harness_flags(made)
    made.set_defaults(rounds=3, seconds=1.0, json="runtimes.json")
    return made


def workers(args, row, shape):
    """Functions that start the sides, by name."""
    case = ["--row", row, "--shape", shape]
    for name, form in OURS.items():
        command = [sys.executable, HERE / "runtime_side.py", *case, "--form", form]
        yield name, lambda name=name, command=command: Worker(name, command, environment=OUR_SIDE)
    for name, flags in PYTORCH.items():
        command = [args.peer_python, HERE / "peer_mmaction2.py", *case, *flags]
        yield name, lambda name=name, command=command: Worker(name, command, environment=PEER_SIDE)


def compared(args, row, shape):
    """What stands in the JSON for a case."""
    start, sides, missing = time.monotonic(), [], {}
    try:
        for name, begin in workers(args, row, shape):
            side = begin()
            try:
                side.wait_ready()
            except WorkerError as error:
                side.close()
                missing[name] = str(error)[-600:]
                print(f"{name}: {missing[name].strip().splitlines()[0][:200]}", flush=True)
            else:
                sides.append(side)
                facts = ", ".join(f"{key} {value}" for key, value in side.facts.items())
                print(f"{name}: {facts}", flush=True)
        if not sides or sides[0].name != OPTIMIZE:
            raise WorkerError(f"{row}: {missing.get(OPTIMIZE, 'no side could be started')}")
        found = harness.compare(
            sides, rounds=args.rounds, seconds=args.seconds, busy_limit=args.busy_limit
        )
    finally:
        for side in sides:
            side.close()
    print(report.table(found), flush=True)
    return {
        "shape": shape,
        "undisturbed": len(found.quiet),
        "rounds": len(found.rounds),
        "minutes": (time.monotonic() - start) / 60,
        "milliseconds": {side.name: 1e3 * found.seconds(i).median for i, side in enumerate(sides)},
        "over_optimize": {side.name: found.ratio(i).median for i, side in enumerate(sides)},
        "facts": {side.name: side.facts for side in sides},
        "missing": missing,
    }


def table(cases):
    """Lines of a Markdown table of what `compared` gave, `{name: case}`, the means last."""
    lines = [f"| milliseconds | {' | '.join(SIDES)} | best other | best PyTorch | chosen |"]
    lines.append("| --- |" + " ---: |" * (len(SIDES) + 2) + " --- |")
    others, pytorch = [], []
    for name, case in cases.items():
        ratios = case["over_optimize"]
        other = min((ratios[side] for side in ratios if side != OPTIMIZE), default=None)
        peer = min((ratios[side] for side in ratios if side in PYTORCH), default=None)
        others += [other] if other else []
        pytorch += [peer] if peer else []
        cells = [_number(case["milliseconds"].get(side), ".0f") for side in SIDES]
        cells += [_number(other, ".2f"), _number(peer, ".2f")]
        cells.append(case["facts"][OPTIMIZE].get("form", "–"))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    means = [_number(statistics.geometric_mean(one) if one else None, ".2f")
             for one in (others, pytorch)]  # fmt: skip
    lines.append(f"| geometric mean |{' |' * len(SIDES)} {' | '.join(means)} | |")
    if others:
        lines += ["", f"Least over the best other: {min(others):.2f}."]
    return "\n".join(lines)


def _number(value, form):
    return "–" if value is None else f"{value:{form}}"


def main():
    args = parser().parse_args()
    path = Path(args.json)
    cases = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    print(report.machine(), flush=True)
    failed = []
    for row, shape in CASES.items():
        if not any(part in row for part in args.families):
            continue
        for batch in args.batches:
            name = f"{row}, {batch}"
            if name in cases:
                continue
            print(f"\n{name}", flush=True)
            try:
                cases[name] = compared(args, row, f"{batch},{shape.partition(',')[2]}")
            except WorkerError as error:
                failed.append(f"{name}: {error}")
                continue
            path.write_text(json.dumps(cases, indent=1) + "\n", encoding="utf-8")
    print(f"\n{table(cases)}")
    sys.exit("\n".join(failed) or 0)


if __name__ == "__main__":
    main()
