"""A side of gpu.py: a process that runs its cases and prints a line of JSON for each.

Sides run concurrently. Before it measures, a side asks gpu.py, which stops all others meanwhile.
"""

import argparse
import contextlib
import functools
import gc
import json
import os
import statistics
import sys
import time

import gpu_cases

# Length of a measurement in seconds, and the number of its parts, whose median is reported.
SECONDS, PARTS = 1.2, 5
LEAST_SECONDS_LEFT = 10


class Side:
    """The framework of a side: synchronization, peak memory, cleanup."""

    def __init__(self, name, smoke):
        self.name = name
        self.jax = name == "jax"
        if self.jax:
            import jax

            self.device = jax.devices()[0]
            self.cuda = self.device.platform == "gpu"
            self.versions = {"jax": jax.__version__, "device": self.device.device_kind}
            return
        import torch

        self.cuda = torch.cuda.is_available() and not smoke
        self.device = "cuda" if self.cuda else "cpu"
        torch.backends.cudnn.benchmark = True
        # Like JAX, whose float32 products use TF32 by default.
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = True
        card = torch.cuda.get_device_name() if self.cuda else "cpu"
        self.versions = {"torch": torch.__version__, "device": card}

    def wait(self, outputs):
        """Blocks until the outputs are computed."""
        if self.jax:
            import jax

            jax.block_until_ready(outputs)
        elif self.cuda:
            import torch

            torch.cuda.synchronize()

    def memory(self):
        """Peak memory in GB since the last call of `free`, or None if unknown."""
        if not self.cuda or self.jax:
            return None  # JAX's allocator only reports the peak over all cases
        import torch

        return torch.cuda.max_memory_allocated() / 1e9

    def free(self):
        """Frees the memory of the last case."""
        if self.name != "peer":
            import keras

            keras.backend.clear_session()
        gc.collect()
        if self.jax:
            import jax

            jax.clear_caches()
        else:
            import torch

            torch.compiler.reset()
            if self.cuda:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()


@contextlib.contextmanager
def exclusive_turn(send):
    """Runs its body while gpu.py has stopped all other processes."""
    send({"asks": True})
    sys.stdin.readline()
    try:
        yield
    finally:
        send({"over": True})


def measure(side, run, seconds=SECONDS):
    """Seconds per repetition: the median over parts, each synchronized at its end."""
    start = time.perf_counter()
    side.wait(run())
    duration = time.perf_counter() - start
    repeats = max(1, round(seconds / PARTS / max(duration, 1e-6)))
    times = []
    for _ in range(PARTS):
        start = time.perf_counter()
        for _ in range(repeats):
            outputs = run()
        side.wait(outputs)
        times.append((time.perf_counter() - start) / repeats)
    return {
        "seconds": statistics.median(times),
        "least": min(times),
        "most": max(times),
        "repeats": repeats * PARTS,
    }


def model_case(side, case, args, turn):
    """Clips per second of a network; its preparation time may include measurements by others."""
    start = time.perf_counter()
    if side.name == "peer":
        import gpu_peers

        run, facts = gpu_peers.prepare(case, args.smoke, args.peers, side.device)
    else:
        import gpu_keras

        run, facts = gpu_keras.prepare(case, args.smoke)
    for _ in range(2):
        side.wait(run())
    facts["prepare_seconds"] = time.perf_counter() - start
    with turn():
        timing = measure(side, run, args.seconds)
    facts["clips_per_second"] = facts["batch"] / timing["seconds"]
    return facts | timing | {"memory_gb": side.memory()}


def depthwise_case(side, case, args, turn):
    """Milliseconds of every form of depthwise convolution, at every size."""
    import gpu_keras

    sizes = gpu_cases.SMALL_DEPTHWISE if args.smoke else gpu_cases.DEPTHWISE
    milliseconds = {}
    for name, size in sizes.items():
        for mode in gpu_cases.MODES:
            for form in gpu_keras.depthwise_forms():
                with turn():
                    run = gpu_keras.depthwise_step(form, size, case[3], mode)
                    try:
                        seconds = measure(side, run, args.seconds / 6)["seconds"]
                    except Exception as error:  # the backend has no kernel for the form
                        milliseconds[f"{name}, {mode}, {form}"] = last_line(error)
                        continue
                milliseconds[f"{name}, {mode}, {form}"] = 1000 * seconds
    return {"milliseconds": milliseconds}


def logits_case(side, case, args, turn):
    """The differences between small networks' logits and the stored ones."""
    import gpu_keras

    names = gpu_cases.CHECKED[4:5] if args.smoke else gpu_cases.CHECKED
    return {"difference_over_largest": gpu_keras.logits_differ(names)}


def peak_case(side, case, args, turn):
    """FLOP/s of a bf16 matrix product: the peak that the card reaches in practice."""
    import torch

    size = 256 if args.smoke else 8192
    a, b = torch.randn(2, size, size, device=side.device, dtype=torch.bfloat16)
    with turn():
        seconds = measure(side, lambda: a @ b, args.seconds)["seconds"]
    return {"matmul_flops_per_second": 2 * size**3 / seconds}


CASES = {"model": model_case, "depthwise": depthwise_case, "logits": logits_case, "peak": peak_case}


def last_line(error):
    """An error in one short line."""
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]


def serve(args, send):
    """Runs the cases from `--first` on, until all are done or time runs out."""
    cases = gpu_cases.plan(
        args.side, args.networks, args.modes, args.dtypes, args.extras, args.usual
    )
    side = Side(args.side, args.smoke)
    send({"versions": side.versions})
    for number, case in enumerate(cases):
        if number < args.first:
            continue
        if time.time() > args.deadline - LEAST_SECONDS_LEFT:
            break
        send({"start": number})
        try:
            result = CASES[case[0]](side, case, args, functools.partial(exclusive_turn, send))
        except Exception as error:
            result = {"error": last_line(error)}
        send({"number": number, "found": result})
        side.free()
    send({"end": True})


def build_parser():
    """The command line, which gpu.py assembles."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--side", choices=("jax", "torch", "peer"), required=True)
    parser.add_argument("--networks", nargs="*", required=True)
    parser.add_argument("--modes", nargs="+", required=True)
    parser.add_argument("--dtypes", nargs="+", required=True)
    parser.add_argument("--extras", nargs="*", default=())
    parser.add_argument("--deadline", type=float, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--peers")
    parser.add_argument("--usual", action="store_true")
    parser.add_argument("--smoke", action="store_true")
    return parser


if __name__ == "__main__":
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # the output of libraries must not mix with the lines of JSON
    sys.path.insert(0, str(gpu_cases.ROOT))
    serve(build_parser().parse_args(), lambda message: print(json.dumps(message), file=lines))
