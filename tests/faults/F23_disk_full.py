"""F23_disk_full.py - a full disk: writes are refused with 507 or 503, reads go on, nothing is corrupted; a log whose disk
is full counts what it drops, holds nobody up, and goes on when there is room again."""
import contextlib
import os
import shutil
import subprocess
import tempfile

from backplane_test import Server, check, check_equal, check_integrity, run_fault, skip, wait_until


def fault(numbers):
    server = Server()
    data = server.conf["data_dir"]
    os.mkdir(data)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", data], capture_output=True).returncode != 0:
        server.close()
        skip("a tmpfs cannot be mounted here")
    try:
        with server:
            fill_and_look(server, numbers)
            check_equal(server.stop(), 0, "exit status")
    finally:
        server.close()
        subprocess.run(["umount", data], check=True)
    log_on_a_full_disk(numbers)


def log_on_a_full_disk(numbers):
    disk = tempfile.mkdtemp(prefix="backplane-test-log-")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    path, filler = os.path.join(disk, "log.jsonl"), os.path.join(disk, "filler")
    open(path, "w").close()  # the server appends to it
    server = Server(log_to=path, log={"file": path, "rate": 0})
    try:
        with server:
            with open(filler, "wb", buffering=0) as file:
                with contextlib.suppress(OSError):
                    while file.write(b"x" * 4096):
                        pass
            for _ in range(400):
                check_equal(server.get("/health/live").status, 200, "a request while the log's disk is full")
            dropped = wait_until(lambda: server.metric("backplane_log_dropped_total"), 5, "nothing was counted as dropped")
            os.remove(filler)
            check_equal(server.get("/docs").status, 200, "a request when there is room again")
            wait_until(lambda: any(line.get("path") == "/docs" for line in server.log_lines()), 5,
                       "the log does not go on when there is room again")
            numbers.update(log_lines_dropped=int(dropped))
    finally:
        server.close()
        subprocess.run(["umount", disk], check=True)
        shutil.rmtree(disk)


def fill_and_look(server, numbers):
    server.make_collection()
    check_equal(server.put({"id": "first", "text": "the very first document"}).status, 200, "a write")
    stored, refused = ["first"], []
    for number in range(600):
        answer = server.put({"id": f"d{number}", "text": f"number{number} " + "filler words everywhere " * 2000})
        if answer.status == 200:
            stored.append(f"d{number}")
        else:
            refused.append(answer.status)
        if len(refused) >= 10:
            break
    check(refused and set(refused) <= {503, 507}, f"statuses of refused writes: {sorted(set(refused))}")
    check_equal(server.search("very first", mode="words", limit=1)[0]["document"], "first", "a search on a full disk")
    check_equal(server.get("/api/v1/collections/docs/documents/first").status, 200, "a read on a full disk")
    for name in stored:
        check_equal(server.get(f"/api/v1/collections/docs/documents/{name}").status, 200, f"acknowledged {name}")
    check_integrity(server)
    check_equal(server.get("/health/live").status, 200, "liveness")
    numbers.update(stored=len(stored), refused=len(refused), statuses=sorted(set(refused)))


run_fault("F23", fault)
