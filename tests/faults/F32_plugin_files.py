"""F32_plugin_files.py - plugin files that do not fit are told apart without being loaded: their constructors never run."""
import json
import os
import shutil
import struct

from backplane_test import PLUGINS, Server, check, check_equal, conf, run, run_fault

FAULT_PLUGINS = os.environ["BACKPLANE_FAULT_PLUGINS"]


def end_of_segments(good):
    """Where the last byte stands that is loaded; what follows is for debuggers."""
    at, size, count = struct.unpack_from("<Q", good, 32)[0], *struct.unpack_from("<HH", good, 54)
    headers = (struct.unpack_from("<IIQQQQ", good, at + i * size) for i in range(count))
    return max(offset + length for kind, _, offset, _, _, length in headers if kind == 1)


def spoilt(good):
    """(name, bytes): each is the good file with one thing wrong."""
    yield "truncated-header", good[:40]
    yield "truncated-quarter", good[:end_of_segments(good) // 4]
    yield "truncated-end", good[:end_of_segments(good) - 8]
    yield "empty", b""
    yield "text", b"this is no plugin\n" * 50
    yield "magic", b"\x7fELG" + good[4:]
    yield "32-bit", good[:4] + b"\x01" + good[5:]
    yield "big-endian", good[:5] + b"\x02" + good[6:]
    yield "other-machine", good[:18] + struct.pack("<H", 183 if good[18] != 183 else 62) + good[20:]
    yield "executable-type", good[:16] + struct.pack("<H", 1) + good[18:]
    yield "headers-beyond-the-end", good[:32] + struct.pack("<Q", 1 << 60) + good[40:]
    yield "no-note", good.replace(b"Backplane\x00", b"Backplang\x00")


def fault(numbers):
    with open(FAULT_PLUGINS + "/app/marks.so", "rb") as file:
        good = file.read()
    server = Server()  # only for its folder; it is never started
    marker = server.folder + "/marker"
    environment = {"BACKPLANE_TEST_MARKER": marker, "BACKPLANE_PLUGINS": server.folder + "/plugins"}
    folder = server.folder + "/plugins/app"
    os.chmod(server.folder, 0o755)
    shutil.copytree(PLUGINS, server.folder + "/plugins")
    try:
        names = []
        for name, content in spoilt(good):
            if name == "no-note" and content == good:
                continue
            with open(f"{folder}/{name}.so", "wb") as file:
                file.write(content)
            os.chmod(f"{folder}/{name}.so", 0o755)
            names.append(name)
        with open(server.folder + "/elsewhere.so", "wb") as file:
            file.write(good)
        os.symlink(server.folder + "/elsewhere.so", folder + "/link.so")
        shutil.copy(FAULT_PLUGINS + "/app/marks.so", folder + "/writable.so")
        os.chmod(folder + "/writable.so", 0o777)
        listing = run("plugins", "-c", server.conf_path, "--json", environment=environment)
        listed = json.dumps(json.loads(listing.stdout))
        for name in names:
            done = run("inspect", f"{folder}/{name}.so", environment=environment)
            check(done.returncode not in (0, -11, -6), f"inspect of {name}: {done.returncode} {done.stdout}")
            check(len(done.stdout + done.stderr) > 20, f"inspect of {name} gives no reason")
        for name in [*names, "link", "writable"]:
            check(f"{name}.so" in listed, f"{name}.so is not listed with its reason")
            made = conf(server.folder, app={"x": {"use": name}})
            made["app"] = {"x": {"use": name}}
            with open(server.folder + "/x.yaml", "w") as file:
                json.dump(made, file)
            done = run("check", "-c", server.folder + "/x.yaml", environment=environment)
            check_equal(done.returncode, 78, f"check of a conf with {name}: {done.stdout}{done.stderr}")
            done = run("serve", "-c", server.folder + "/x.yaml", environment=environment, seconds=20)
            check_equal(done.returncode, 78, f"serve with {name}: {done.stderr}")
            check(not os.path.exists(marker), f"the constructor of {name} has run")
        # The same file, put there as it should be, does run: the marker can appear.
        os.remove(folder + "/writable.so")
        shutil.copy(FAULT_PLUGINS + "/app/marks.so", folder + "/marks.so")
        os.chmod(folder + "/marks.so", 0o755)
        made["app"] = {"x": {"use": "marks"}}
        with open(server.folder + "/x.yaml", "w") as file:
            json.dump(made, file)
        done = run("check", "-c", server.folder + "/x.yaml", environment=environment)
        check(os.path.exists(marker), f"the good file was not loaded: {done.stdout}{done.stderr}")
        numbers.update(refused=len(names) + 2, loaded_although_wrong=0)
    finally:
        server.close()


run_fault("F32", fault)
