"""F31_bad_plugin.py - a plugin that holds its loop or changes what belongs to the process: named, counted, put right, ended."""
import json
import os
import signal

from backplane_test import Server, check, check_equal, conf, run_fault, wait_until


def make_server():
    server = Server()
    server.conf = conf(server.folder, server={"workers": 2, "watchdog": {"warn": "100ms", "fail_liveness": "1s", "abort": "2s"}})
    server.conf.update(app={"spins": {}}, plugins=[os.environ["BACKPLANE_FAULT_PLUGINS"]])
    with open(server.conf_path, "w") as file:
        json.dump(server.conf, file)
    return server


def fault(numbers):
    with make_server() as server:
        meddled = server.find_event("plugin_meddled")
        check(meddled and "spins" in meddled["plugin"] and "umask" in meddled["message"], f"plugin_meddled: {meddled}")
        with open(f"/proc/{server.process.pid}/status") as file:
            check("Umask:\t0000" not in file.read(), "the umask was not put back")
        check_equal(server.get("/spin?ms=50").status, 200, "a short spin")
        check(not server.find_event("loop_blocked"), "50 ms are no complaint")
        check_equal(server.get("/spin?ms=300").status, 200, "a spin of 300 ms")
        blocked = wait_until(lambda: server.find_event("loop_blocked"), 2, "no line loop_blocked")
        check_equal((blocked["plugin"], blocked["instance"]), ("app/spins", "spins"), "who is named")
        check("op" in blocked and blocked["op"] != "-", f"the operation: {blocked}")
        check_equal(server.metric("backplane_loop_blocked_total", plugin="app/spins"), 1.0, "the count")
        try:
            server.get("/spin?ms=8000", seconds=10)
        except OSError:
            pass
        check_equal(server.process.wait(8), -signal.SIGABRT, "how the process ended")
        said = server.log_text()
        for word in ("crashed: SIGABRT", "plugin: app/spins", "backtrace:", "loop_stuck"):
            check(word in said, f"the crash report lacks {word!r}: {said[-1500:]}")
        numbers.update(warned_after_ms=blocked["duration_ms"], op=blocked["op"])


run_fault("F31", fault)
