"""The results of gpu.py, as JSON and as a table."""

import json
import os
from pathlib import Path

import gpu_cases


class Results:
    """All results; the file is rewritten after every case.

    Args:
        path: the file.
        missing: packages that are not installed, by side.
    """

    def __init__(self, path, missing):
        self._path = Path(path)
        self.facts = {
            "versions": {},
            "missing": missing,
            "bf16_peak": None,
            "bf16_matmul": None,
            "logits": {},
            "depthwise": {},
            "networks": {},
            "errors": {},
            "skipped": {},
        }
        self._write()

    def versions(self, side, versions):
        self.facts["versions"][side] = versions
        name = versions.get("device", "")
        peaks = [peak for card, peak in gpu_cases.PEAKS.items() if card in name]
        if peaks:
            self.facts["bf16_peak"] = peaks[0]
        self._write()

    def add(self, side, case, result):
        """Records a result of a side; returns it as a line of text."""
        kind, network, mode, dtype, compiled = case
        if "error" in result:
            self.facts["errors"][f"{side}: {gpu_cases.key(case)}"] = result["error"]
            line = result["error"]
        elif kind == "model":
            sides = self.facts["networks"].setdefault(f"{network}, {mode}, {dtype}", {})
            sides[label(side, compiled)] = result
            line = f"{result['clips_per_second']:.1f} clips/s"
        elif kind == "peak":
            self.facts["bf16_matmul"] = result["matmul_flops_per_second"]
            line = f"{result['matmul_flops_per_second'] / 1e12:.1f} TFLOP/s"
        else:
            values = next(iter(result.values()))
            self.facts[kind][side] = values
            line = ", ".join(f"{name} {format_value(value)}" for name, value in values.items())
        self._write()
        return f"{gpu_cases.key(case)}: {line}"

    def finish(self, skipped, seconds):
        self.facts["skipped"] = skipped
        self.facts["seconds"] = seconds
        self._write()

    def rows(self):
        """Per network, mode and dtype: clips per second by side, ratio, fraction of the peak."""
        for name, sides in self.facts["networks"].items():
            rates = {side: result["clips_per_second"] for side, result in sides.items()}
            ours = max((rate for side, rate in rates.items() if "Keras" in side), default=None)
            peers = max((rate for side, rate in rates.items() if "Keras" not in side), default=None)
            flops = next((result["flops_per_clip"] for result in sides.values()
                          if "flops_per_clip" in result), None)  # fmt: skip
            peak = self.facts["bf16_peak"] or self.facts["bf16_matmul"]
            yield (
                name,
                {
                    "clips_per_second": rates,
                    "over_best_pytorch": ours / peers if ours and peers else None,
                    "share_of_bf16_peak": {
                        side: rate * flops / peak for side, rate in rates.items() if flops and peak
                    },
                },
            )

    def _write(self):
        self.facts["summary"] = dict(self.rows())
        partial = self._path.with_name(f"{self._path.name}.part")
        partial.write_text(json.dumps(self.facts, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, self._path)  # noqa: PTH105

    def table(self):
        """The summary as a Markdown table, followed by errors and the number of skipped cases."""
        lines = ["| case | " + " | ".join(LABELS) + " | ours / best PyTorch |"]
        lines += ["| --- |" + " --- |" * (len(LABELS) + 1)]
        for name, row in self.rows():
            cells = []
            for side in LABELS:
                rate, fraction = (row[key].get(side) for key in
                               ("clips_per_second", "share_of_bf16_peak"))  # fmt: skip
                fraction = "" if fraction is None else f" ({100 * fraction:.0f} %)"
                cells.append("" if rate is None else f"{rate:.1f}{fraction}")
            ratio = row["over_best_pytorch"]
            cells.append("" if ratio is None else f"{ratio:.2f}")
            lines.append(f"| {name} | {' | '.join(cells)} |")
        for field in ("errors", "missing"):
            lines += [f"{field}: {name}: {text}" for name, text in self.facts[field].items()]
        return "\n".join([*lines, f"skipped for lack of time: {len(self.facts['skipped'])} cases"])


LABELS = ("Keras, JAX", "Keras, torch", "Keras, torch compiled", "PyTorch", "PyTorch compiled")


def format_value(value):
    """A float with three significant digits; other values are unchanged."""
    return f"{value:.3g}" if isinstance(value, float) else value


def label(side, compiled):
    """The title of a column."""
    name = {"jax": "Keras, JAX", "torch": "Keras, torch", "peer": "PyTorch"}[side]
    return f"{name} compiled" if compiled and side != "jax" else name
