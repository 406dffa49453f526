"""test_migrate.py - `migrate`: how a move is shown, as a table and as JSON, and how it is stopped. What is moved is tested in core/transfer."""
import fcntl
import os
import shutil
import signal
import subprocess

from backplane_test import check_equal, wait_until
from moves_rig import play_moves


def a_signal_ends_it_at_the_next_page(stage, number):
    """Its standard error is a pipe that is full, so that it waits in its first sentence for the signal to come."""
    target = os.path.join(stage.folder, "big")  # made when signals are watched for
    reading, writing = os.pipe()
    room = fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.write(writing, b"x" * room)
    process = subprocess.Popen(["backplane", "migrate", "--from", "a.yaml", "--to", "big.yaml", "--resume"], cwd=stage.folder,
                               env=stage.environment, stdout=subprocess.DEVNULL, stderr=writing)
    os.close(writing)
    wait_until(lambda: os.path.exists(target), 60, "it does not begin")
    process.send_signal(number)
    with open(reading, "rb") as pipe:
        said = pipe.read()[room:].decode().split("\n")
    check_equal((process.wait(60), said[-2:]),
                (1, ["backplane migrate: stopped on request; written data stays. Continue with: backplane migrate --from a.yaml --to big.yaml --resume", ""]),
                f"signal {number}")


def signals(stage):
    for number in (signal.SIGINT, signal.SIGTERM):
        a_signal_ends_it_at_the_next_page(stage, number)
        shutil.rmtree(os.path.join(stage.folder, "big"))


play_moves(__file__, signals)
