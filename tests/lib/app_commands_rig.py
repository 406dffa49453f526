"""app_commands_rig.py - confs with the app of tests/integration/app_commands.c, which brings commands, and files for them."""
import json
import os
import tempfile

folder = tempfile.mkdtemp(prefix="backplane-test-")
PLUGIN = os.path.join(os.path.dirname(os.path.dirname(os.environ["BACKPLANE_FAULT_PLUGINS"])), "integration", "app_commands")
MIB = 1 << 20


def made(home, release="now", **server):
    return {"data_dir": os.path.join(home, "data"), "plugins": [os.path.join(PLUGIN, release)],
            "server": {"listen": ["127.0.0.1:0"], "workers": 1, **server},
            "storage": {"main": {"use": "sqlite", "path": "a.db"}},
            "app": {"first": {"use": "stranger"}, "second": {"use": "stranger", "greeting": "Goodbye"}}}


def write(name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return path


def conf_path():
    return write("c.yaml", json.dumps(made(folder)))


def url_of(server):
    return f"http://127.0.0.1:{server.port}"
