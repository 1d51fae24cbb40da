import os
import re
import signal
import threading
import time

import pytest

from keras_video.data.parallel import in_parallel
from keras_video.data.prepare.limited_calls import (
    CallCrashedError,
    CallTimeoutError,
    LimitedCalls,
)


def obey(order):
    """Carries out the order in a separate process."""
    if order == "hang":
        # A single C call, which holds the GIL and ignores signals.
        re.match(r"(a+)+$", 60 * "a" + "b")
    elif order == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif order == "leave":
        os._exit(3)
    elif order == "fail":
        raise KeyError(order)
    elif order == "lock":
        return threading.Lock()
    return os.getpid()


@pytest.fixture(scope="module")
def calls():
    with LimitedCalls(obey, 1.0) as calls:
        yield calls


def test_a_separate_process_serves_many_calls(calls):
    first = calls("go")
    assert first == calls("go") != os.getpid()
    with pytest.raises(KeyError, match="fail"):
        calls("fail")
    with pytest.raises(RuntimeError, match="cannot be sent: .*lock"):
        calls("lock")
    assert first == calls("go")


def test_hanging_calls_are_terminated(calls):
    process = calls("go")
    start = time.monotonic()
    with pytest.raises(CallTimeoutError, match="over 1 s"):
        calls("hang")
    assert time.monotonic() - start < 20
    assert not alive(process)
    assert calls("go") != process


@pytest.mark.parametrize(("order", "reason"), [("crash", "by SIGSEGV"), ("leave", "status 3")])
def test_crashes_are_reported_with_their_cause(calls, order, reason):
    with pytest.raises(CallCrashedError, match=reason):
        calls(order)
    assert calls("go")


def test_concurrent_calls_have_separate_processes():
    orders, results = ["go", "hang", "crash", "go", "fail", "go"], {}
    with LimitedCalls(obey, 1.0) as calls:

        def outcome(order):
            try:
                return calls(order)
            except Exception as error:
                return type(error)

        results = dict(in_parallel(outcome, orders, workers=3, show_progress=False))
    assert (results[1], results[2], results[4]) == (CallTimeoutError, CallCrashedError, KeyError)
    pids = {results[number] for number in (0, 3, 5)}
    assert not any(alive(pid) for pid in pids)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
