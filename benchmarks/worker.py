"""The worker's side of a comparison: builds its subject once, then measures on request.

A worker is a separate process, so that two sides may use different environments. It needs only
the standard library and runs wherever a side runs. What it reads and writes, one line each:

    ->  {"ready": {...}}                 after building; facts about the side
    <-  run 5                            measure five repetitions
    ->  {"seconds": [0.1, ...]}          one number per repetition
    ->  {"error": "..."}                 instead of either, before the worker ends

The end of its input ends the worker. Between two requests it is blocked on reading.
"""

import contextlib
import json
import os
import sys
import time


def time_calls(run, repeats):
    """Seconds of each of `repeats` calls of `run`, as a list of floats."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def parse_request(line):
    """The number of repetitions that a request line asks for.

    Raises:
        ValueError: the line is not `run N` with a positive N.
    """
    word, _, count = line.strip().partition(" ")
    if word != "run" or not count.isdigit() or int(count) < 1:
        raise ValueError(f"expected a request 'run N' with N >= 1, received {line.strip()!r}")
    return int(count)


def serve(prepare):
    """Runs the protocol on standard input and output until the input ends.

    Args:
        prepare: callable without arguments; builds and warms up the subject and returns
            `(run, facts)`: the callable to time, and a JSON-able dict about the side.
    """
    with _private_output() as answer:
        try:
            run, facts = prepare()
            answer({"ready": facts})
            for line in sys.stdin:
                answer({"seconds": time_calls(run, parse_request(line))})
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})
            raise


@contextlib.contextmanager
def _private_output():
    """Reserves standard output for answers: the output of libraries goes to standard error."""
    with os.fdopen(os.dup(1), "w") as pipe:
        os.dup2(2, 1)

        def answer(message):
            pipe.write(json.dumps(message) + "\n")
            pipe.flush()

        yield answer
