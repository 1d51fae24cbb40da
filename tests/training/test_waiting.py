import socket
import subprocess
import sys
import time

from keras_video.training import waiting


def listening_server():
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"127.0.0.1:{server.getsockname()[1]}"


def test_unresponsive_peers_are_named():
    server, address = listening_server()
    other, closed_address = listening_server()
    other.close()
    with server:
        peers = {"worker 1": address, "worker 2": closed_address, "worker 3": "no address"}
        message = waiting.waiting_message(peers, 12.4)
        assert f"worker 2 ({closed_address}), worker 3 (no address) for 12 s" in message
        assert "worker 1" not in message
        message = waiting.waiting_message({"worker 1": address}, 12.4)
        assert f"worker 1 ({address})" in message and "has not joined yet" in message


def test_messages_are_printed_while_the_body_blocks_python():
    code = (
        "import ctypes, sys; sys.path.insert(0, sys.argv[1]); import waiting\n"
        "with waiting.report_waiting({'worker 1': 'nowhere:x'}, first=0.2, every=0.2):\n"
        # PyDLL keeps the lock of the interpreter, as TensorFlow does.
        "    ctypes.PyDLL(None).usleep(1_500_000)\n"
    )
    folder = waiting.__file__.rpartition("/")[0]
    command = [sys.executable, "-c", code, folder]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stderr.count("Waiting for worker 1 (nowhere:x)") >= 2


def test_it_ends_with_the_process_that_waits():
    """No process survives the kill: the pipe to its standard error closes."""
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); import waiting\n"
        "with waiting.report_waiting({'worker 1': 'nowhere:x'}, first=0.1, every=0.1):\n"
        "    time.sleep(60)\n"
    )
    folder = waiting.__file__.rpartition("/")[0]
    command = [sys.executable, "-c", code, folder]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr.readline()
        process.kill()
        began = time.monotonic()
        process.stderr.read()
        assert time.monotonic() - began < 20
