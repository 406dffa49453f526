"""test_check_world.py - mistakes that people make in a conf, and what `backplane check` says of each: its line, column and words, the exit
status, and that nothing is written by it.

The whole output for each is in test_check_world.said (see tests/lib/transcript.py). A mistake is a text in which «...» marks
the place that has to be named, with an optional /* warning */ level. `$F` is a folder with files of every sort, made below.
"""
import concurrent.futures
import json
import os
import re
import shutil
import socket

from backplane_test import PLUGINS, check, check_equal, run, run_tests
from transcript import NOISE, compare, make_folder, shown

OUTER, F = make_folder()
BUILT = {"/".join(path.split("/")[-2:])[:-3] for path in
         (os.path.join(root, name) for root, _, names in os.walk(PLUGINS) for name in names) if path.endswith(".so")}
GOOD = "storage: { main: { use: sqlite, path: x.db } }\napp: { knowledge: { storage: main } }\n"
APP = "app: { knowledge: { storage: main } }\n"


def make_files():
    os.makedirs(F + "/folder/inner")
    os.makedirs(F + "/repos")
    os.makedirs(F + "/" + "long" * 30)
    for name, text in (("file.txt", "text"), ("not.pem", "nothing"), ("good.pem", "-----BEGIN CERTIFICATE-----\n"), ("closed.txt", "x"),
                       ("secret", "s3cret\n"), ("binary", "\udcff")):
        with open(os.path.join(F, name), "w", errors="surrogateescape") as file:
            file.write(text)
    os.symlink(F + "/folder", F + "/link")
    os.symlink(F + "/nowhere", F + "/dangling")
    os.chmod(F + "/closed.txt", 0)
    os.makedirs(F + "/closed", mode=0o500)
    os.makedirs(F + "/root-only", mode=0o700)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(F + "/a.sock")


busy = socket.socket()
busy.bind(("127.0.0.1", 0))
busy.listen()
BUSY = busy.getsockname()[1]

ERROR, WARNING, NONE = 78, 0, 0
# (what it is, the conf with « at the place, words that are said there, exit status)
MISTAKES = [
    # ---- YAML ----
    ("a brace not closed", "server: { workers: 2\nstorage«: { main: { use: sqlite, path: x.db } }\napp: { knowledge: {} }\n", "is not valid YAML", 78),
    ("a quote not closed", 'log: { level: "info }\n' + GOOD + "«", "is not valid YAML", 78),
    ("a tab", "server:\n«\tworkers: 2\n" + GOOD, "cannot start any token", 78),
    ("two colons", "server:\n  workers: 2«: 3\n" + GOOD, "mapping values are not allowed", 78),
    ("a wrong indentation", "server:\n  workers: 2\n «access_log: off\n" + GOOD, "is not valid YAML", 78),
    ("an anchor", "server:\n  workers: «&w 2\n" + GOOD, "anchors", 78),
    ("an alias", "server:\n  workers: «*w\n" + GOOD, "aliases", 78),
    ("a tag", "server:\n  workers: «!!int 2\n" + GOOD, "tags", 78),
    ("a second document", GOOD + "«---\nserver: {}\n", "second document", 78),
    ("a key written twice", GOOD + "«storage: { other: { use: sqlite, path: y.db } }\n", "written twice (first at line 1)", 78),
    ("a list as a key", "«[a]: 1\n" + GOOD, "a key must be a word", 78),
    ("a text instead of a conf", "«hello\n", "must be a mapping of sections", 78),
    ("a list instead of a conf", "«- server\n- app\n", "must be a mapping of sections", 78),
    ("an expansion within braces, not quoted", "data_dir: $F/data\nserver: { workers: $«{W} }\n" + GOOD, "in quotes within", 78),
    ("the rest is told after a YAML error", "server: { workers: 2\nlog:\n  «levle: info\n" + GOOD, "did you mean \"level\"", 78),
    ("values are told after a YAML error", "app: { knowledge: [ }\nserver:\n  workers: «many\n", "neither auto nor a number", 78),
    ("a world mistake is told after a YAML error", 'log: { level: "x\napp:\n  filesystem: { roots: [ «$F/none ] }\n', "No such file", 78),
    # ---- nothing to serve ----
    ("an empty file", "", "is empty", 78),
    ("only comments", "# server:\n#   workers: 2\n", "is empty", 78),
    ("only null", "~\n", "is empty", 78),
    ("no app", "storage: { main: { use: sqlite, path: x.db } }\n", "names no app", 0),
    ("an empty section app", "storage: { main: { use: sqlite, path: x.db } }\n«app: {}\n", "names no app", 0),
    ("an empty list of apps", "server:\n  listen: [ { address: '127.0.0.1:0', «apps: [] } ]\n" + GOOD, "serves all of them", 0),
    ("an app that no listener serves", "server: { listen: [ { address: '127.0.0.1:0', apps: [knowledge] } ] }\n"
     "storage: { main: { use: sqlite, path: x.db } }\napp:\n  knowledge: { storage: main }\n  «git: { repositories: [ $F/repos ] }\n",
     "served by no listener", 0),
    # ---- names ----
    ("an unknown section", GOOD + "«serve: {}\n", "did you mean \"server\"", 78),
    ("an unknown key", "server: { «worker: 2 }\n" + GOOD, "did you mean \"workers\"", 78),
    ("an unknown key of limits", "server: { limits: { «bodi: 1MiB } }\n" + GOOD, "did you mean \"body\"", 78),
    ("an unknown key of an instance", "storage: { main: { use: sqlite, path: x.db, «reader: 2 } }\n" + APP, "did you mean \"readers\"", 78),
    ("a plugin that is not there", "storage: { main: { use: «sqlit, path: x.db } }\n" + APP, "did you mean \"sqlite\"", 78),
    ("a plugin of another kind", "storage: { main: { use: «redis } }\n" + APP, "there is no plugin storage/redis", 78),
    ("an app that is not there", GOOD + "«app2: 1\n", "is not known here", 78),
    ("an app's plugin that is not there", "app:\n  «knowlege: {}\n", "did you mean \"knowledge\"", 78),
    ("no use", "storage: { «main: { path: x.db } }\n" + APP, "is required: the plugin that serves", 78),
    ("an empty use", "storage: { main: { use: «'', path: x.db } }\n" + APP, "must be the name of a plugin", 78),
    ("an instance's name in upper case", "storage: { «Main: { use: sqlite, path: x.db } }\napp: {}\n", "is no name for an instance", 78),
    ("an instance that is a text", "storage: { main: «sqlite }\n" + APP, "must be a mapping of settings", 78),
    ("a section that is a list", "storage: «[ sqlite ]\n" + APP, "must be a mapping of names", 78),
    ("a reference to nothing", "storage: { main: { use: sqlite, path: x.db } }\napp: { knowledge: { storage: «mian } }\n", "did you mean \"main\"", 78),
    ("a default reference to nothing", "app: { «knowledge: {} }\n", "is required", 78),
    ("a listener's app that is not there", "server: { listen: [ { address: ':0', apps: [ «knowlege ] } ], auth: { allow_unauthenticated_network: true } }\n" + GOOD,
     "did you mean \"knowledge\"", 78),
    ("a keys storage that is not there", "server: { auth: { mode: keys, storage: «keys } }\n" + GOOD, "there is no storage instance \"keys\"", 78),
    ("a health target that is not there", GOOD + "health: { db: { use: instance, storage: «mian } }\n", "did you mean \"main\"", 78),
    ("nothing uses a store", GOOD + "vector: { «docs: { use: local, path: d } }\n", "is unused", 0),
    ("nothing uses a second storage", "storage:\n  main: { use: sqlite, path: x.db }\n  «other: { use: sqlite, path: y.db }\n" + APP, "is unused", 0),
    # ---- values ----
    ("workers", "server: { workers: «0 }\n" + GOOD, "neither auto nor a number", 78),
    ("a size without a unit that is one", "server: { limits: { body: «1M } }\n" + GOOD, "did you mean \"1MiB\"", 78),
    ("a duration without a unit", "server: { request_deadline: «30 }\n" + GOOD, "has no unit", 78),
    ("a duration in words", "server: { request_deadline: «30sec }\n" + GOOD, "did you mean \"30s\"", 78),
    ("a choice", "log: { level: «warning }\n" + GOOD, "is not one of debug, info, warn, error", 78),
    ("a bool", "server: { metrics: «maybe }\n" + GOOD, "neither true nor false", 78),
    ("a number as a bool in the file", "server: { metrics: «1 }\n" + GOOD, "neither true nor false", 78),
    ("below the minimum", "server: { drain: { timeout: «-1s } }\n" + GOOD, "is not a duration", 78),
    ("above the maximum", "server: { offload_threads: «1000 }\n" + GOOD, "above the maximum", 78),
    ("not a number", "server: { offload_threads: «few }\n" + GOOD, "not a whole number", 78),
    ("a list where one value is wanted", "server: { workers: «[ 2 ] }\n" + GOOD, "must be one value", 78),
    ("a mapping where a list is wanted", "server: { allowed_hosts: «{ a: b } }\n" + GOOD, "must be a list", 78),
    ("no value", "server:\n  workers:«\n" + GOOD, "has no value", 78),
    ("a URL without slashes", "vector: { docs: { use: qdrant, url: «'http:/x' } }\n" + GOOD, "is not", 78),
    ("a URL of another scheme", "vector: { docs: { use: qdrant, url: «'ftp://x' } }\n" + GOOD, "ftp://x", 78),
    ("an address without a port", "server: { listen: [ «127.0.0.1 ] }\n" + GOOD, "has no port", 78),
    ("a port too high", "server: { listen: [ «'127.0.0.1:70000' ] }\n" + GOOD, "70000", 78),
    ("a digest", "storage: { main: { use: sqlite, path: x.db, digest: «abc } }\n" + APP, "not a SHA-256", 78),
    ("a proxy", "server: { trusted_proxies: «[ 10.0.0.0/99 ] }\n" + GOOD, "neither an address nor a CIDR block", 78),
    ("a variable that is not set", "log: { level: «'${NOT_SET_ANYWHERE}' }\n" + GOOD, "is not set", 78),
    ("an expansion not closed", "log: { level: «'${LEVEL' }\n" + GOOD, "without its }", 78),
    ("a secret file that is not there", "vector: { docs: { use: qdrant, api_key: «'${file:$F/none}' } }\n" + GOOD, "cannot read the file", 78),
    ("a secret file that is a folder", "vector: { docs: { use: qdrant, api_key: «'${file:$F/folder}' } }\n" + GOOD, "cannot read the file", 78),
    ("a secret in the file", "vector: { docs: { use: qdrant, «api_key: abc } }\n" + GOOD, "is a secret written into this file", 0),
    ("watchdog out of order", "server: { watchdog: { warn: «20s } }\n" + GOOD, "warn must be less than fail_liveness", 78),
    ("limits out of order", "server: { limits: { shed_at: «0.99 } }\n" + GOOD, "shed_at must be less than refuse_at", 78),
    # ---- words for a shell ----
    ("$HOME in a path", "storage: { main: { use: sqlite, path: «'$HOME/x.db' } }\n" + APP, "only a shell understands (write ${HOME})", 78),
    ("~ in a path", "storage: { main: { use: sqlite, path: «'~/x.db' } }\n" + APP, "only a shell understands", 78),
    ("$DATA in data_dir", "data_dir: «$DATA/x\n" + GOOD, "write ${DATA}", 78),
    ("%APPDATA%", "storage: { main: { use: sqlite, path: «'%APPDATA%/x.db' } }\n" + APP, "only a shell understands", 78),
    ("$(pwd) in a path", "storage: { main: { use: sqlite, path: «'$(pwd)/x.db' } }\n" + APP, "only a shell understands", 78),
    ("~ in a list of folders", "app: { filesystem: { roots: [ «'~/notes' ] } }\n", "only a shell understands", 78),
    ("$HOME in a list of folders", "app: { git: { repositories: [ $F/repos, «$HOME/src ] } }\n", "write ${HOME}", 78),
    ("$HOST in a URL", "vector: { docs: { use: qdrant, url: «'http://$QDRANT_HOST:6333' } }\n" + GOOD, "$QDRANT_HOST", 78),
    ("$HOME in the log file", "log: { file: «$HOME/log }\n" + GOOD, "write ${HOME}", 78),
    # ---- files and folders ----
    ("a root that is not there", "app: { filesystem: { roots: [ $F/folder, «$F/none ] } }\n", "No such file", 78),
    ("a root that is a file", "app: { filesystem: { roots: [ «$F/file.txt ] } }\n", "has to be a folder", 78),
    ("a root as one value", "app: { filesystem: { roots: «$F/none } }\n", "No such file", 78),
    ("a repository folder that is not there", "app: { git: { repositories: [ «$F/none ] } }\n", "No such file", 78),
    ("a link that leads nowhere", "app: { git: { repositories: [ «$F/dangling ] } }\n", "No such file", 78),
    ("sources that are not there", "storage: { main: { use: sqlite, path: x.db } }\nembed: { main: { use: hash } }\nvector: { docs: { use: local, path: d } }\n"
     "app: { retrieval: { storage: main, embed: main, vector: docs, sources: [ «$F/none ] } }\n", "No such file", 78),
    ("a model that is not there", GOOD + "embed: { main: { use: onnx, model: «$F/none } }\n", "No such file", 78),
    ("a model that is a file", GOOD + "embed: { main: { use: onnx, model: «$F/file.txt } }\n", "has to be a folder", 78),
    ("a runtime that is not there", GOOD + "embed: { main: { use: onnx, model: $F/folder, runtime: «$F/none } }\n", "No such file", 78),
    ("a relative model", GOOD + "embed: { main: { use: onnx, model: «models/x } }\n", "relative paths start at data_dir", 78),
    ("certificates that are not there", GOOD + "vector: { docs: { use: qdrant, ca: «$F/none.pem } }\n", "No such file", 78),
    ("certificates that are none", GOOD + "vector: { docs: { use: qdrant, ca: «$F/not.pem } }\n", "holds no certificate", 78),
    ("certificates that are a folder", GOOD + "vector: { docs: { use: qdrant, ca: «$F/folder } }\n", "has to be a file", 78),
    ("a certificate of a gateway", GOOD + "llm: { main: { use: openai, url: 'http://127.0.0.1:1/v1', model: m, ca: «$F/none.pem } }\n", "No such file", 78),
    ("a database that is a folder", "storage: { main: { use: sqlite, path: «$F/folder } }\n" + APP, "is a folder, and has to be a file", 78),
    ("a database below a file", "storage: { main: { use: sqlite, path: «$F/file.txt/x.db } }\n" + APP, "cannot be made, because", 78),
    ("a database below a link that leads nowhere", "storage: { main: { use: sqlite, path: «$F/dangling/x.db } }\n" + APP, "cannot be made", 78),
    ("a database below a device", "storage: { main: { use: sqlite, path: «/dev/null/x.db } }\n" + APP, "cannot be made", 78),
    ("a vector store that is a file", GOOD + "vector: { docs: { use: local, path: «$F/file.txt } }\n", "has to be a folder", 78),
    ("data_dir is a file", "data_dir: «$F/file.txt\n" + GOOD, "has to be a folder", 78),
    ("the log is a folder", "log: { file: «$F/folder }\n" + GOOD, "has to be a file", 78),
    ("the log below a file", "log: { file: «$F/file.txt/log }\n" + GOOD, "cannot be made", 78),
    ("a folder of plugins that is not there", "plugins: [ «$F/none ]\n" + GOOD, "none", 78),
    ("data_dir written twice", "data_dir: $F/data\nstorage: { main: { use: sqlite, path: «data/x.db } }\n" + APP, "because relative paths start at data_dir", 0),
    ("a disk check of nothing", GOOD + "health: { d: { use: disk, path: «$F/none } }\n", "No such file", 78),
    # ---- two stores on one path ----
    ("two storages on one path", "storage:\n  main: { use: sqlite, path: x.db }\n  two: { use: sqlite, path: «x.db }\n" + APP, "is the path of storage.main too", 78),
    ("with dots", "storage:\n  main: { use: sqlite, path: x.db }\n  two: { use: sqlite, path: «a/../x.db }\n" + APP, "is the path of storage.main too", 78),
    ("through a link", "storage:\n  main: { use: sqlite, path: $F/folder/x.db }\n  two: { use: sqlite, path: «$F/link/x.db }\n" + APP, "is the path of storage.main too", 78),
    ("relative and absolute", "data_dir: $F/folder\nstorage:\n  main: { use: sqlite, path: x.db }\n  two: { use: sqlite, path: «$F/folder/./x.db }\n" + APP,
     "is the path of storage.main too", 78),
    ("double slashes", "storage:\n  main: { use: sqlite, path: $F/x.db }\n  two: { use: sqlite, path: «$F//x.db }\n" + APP, "is the path of storage.main too", 78),
    ("two vector stores", GOOD + "vector:\n  a: { use: local, path: d }\n  b: { use: local, path: «d }\n", "is the path of vector.a too", 78),
    ("two vector stores with a slash at the end", GOOD + "vector:\n  a: { use: local, path: d }\n  b: { use: local, path: «d/ }\n", "is the path of vector.a too", 78),
    ("a vector store within another", GOOD + "vector:\n  a: { use: local, path: d }\n  b: { use: local, path: «d/e }\n", "lies in the folder of vector.a", 0),
    ("the log in a database", "log: { file: x.db }\nstorage: { main: { use: sqlite, path: «x.db } }\n" + APP, "is the path of file too", 78),
    # ---- listeners ----
    ("one address twice", "server: { listen: [ '127.0.0.1:7001', «'127.0.0.1:7001' ] }\n" + GOOD, "is listened on already", 78),
    ("all and one", "server: { listen: [ ':7001', «'127.0.0.1:7001' ], auth: { allow_unauthenticated_network: true }, allowed_hosts: [ a ] }\n" + GOOD, "overlaps", 78),
    ("0.0.0.0 and one", "server: { listen: [ '0.0.0.0:7001', «'127.0.0.1:7001' ], auth: { allow_unauthenticated_network: true }, allowed_hosts: [ a ] }\n" + GOOD,
     "overlaps", 78),
    ("[::] and one", "server: { listen: [ '[::]:7001', «'127.0.0.1:7001' ], auth: { allow_unauthenticated_network: true }, allowed_hosts: [ a ] }\n" + GOOD,
     "overlaps", 78),
    ("a name and its address", "server: { listen: [ 'localhost:7001', «'127.0.0.1:7001' ] }\n" + GOOD, "overlaps", 78),
    ("an address of another machine", "server: { listen: [ «'192.0.2.77:7001' ], auth: { allow_unauthenticated_network: true }, allowed_hosts: [ a ] }\n" + GOOD,
     "is no address of this machine", 78),
    ("an address in use", f"server: {{ listen: [ «'127.0.0.1:{BUSY}' ] }}\n" + GOOD, "is in use now", 0),
    ("metrics on the listener of all", "server: { listen: ':7001', metrics_listen: «'127.0.0.1:7001', auth: { allow_unauthenticated_network: true }, allowed_hosts: [ a ] }\n" + GOOD,
     "overlaps", 78),
    ("metrics at another machine's address", "server: { metrics_listen: «'192.0.2.77:7001', metrics_token: t }\n" + GOOD, "is no address of this machine", 78),
    ("metrics for everybody", "server: { metrics_listen: «':7001' }\n" + GOOD, "server.metrics_token is empty", 78),
    ("metrics in a socket's folder that is not there", "server: { metrics_listen: «'unix:$F/none/s' }\n" + GOOD, "No such file", 78),
    ("a socket in a folder that is not there", "server: { listen: [ «'unix:$F/none/s' ] }\n" + GOOD, "No such file", 78),
    ("a socket where a file is", "server: { listen: [ «'unix:$F/file.txt' ] }\n" + GOOD, "exists and is not a socket", 78),
    ("a socket with a long path", "server: { listen: [ «'unix:$F/" + "long" * 30 + "/s' ] }\n" + GOOD, "longer than the 107 bytes", 78),
    ("a network listener without keys", "server: { listen: [ «':7001' ] }\n" + GOOD, "is reached by other machines", 78),
    ("a network listener without allowed_hosts", "server: { listen: [ «':7001' ], auth: { mode: keys, storage: main } }\n" + GOOD, "allowed_hosts is empty", 78),
    ("no listener", "server: { listen: «[] }\n" + GOOD, "must name 1 to 64 addresses", 78),
    # ---- routes ----
    ("two apps with one prefix", "app:\n  a: { use: filesystem, roots: [ $F/folder ], prefix: p }\n  b: { use: filesystem, roots: [ $F/repos ], «prefix: p }\n",
     "is offered by app.a as well", 78),
    ("a prefix with a slash", "app: { a: { use: filesystem, roots: [ $F/folder ], prefix: «/p } }\n", "is no prefix", 78),
    ("a prefix of a storage", "storage: { main: { use: sqlite, path: x.db, «prefix: p } }\n" + APP, "is not known here", 78),
    # ---- who may ----
    ("keys without a storage", "server: { «auth: { mode: keys } }\n" + GOOD, "is required where mode is keys", 78),
    ("tokens without an issuer", "server: { «auth: { mode: oauth, audience: [ a ] } }\n" + GOOD, "is required where mode is oauth", 78),
    ("an issuer over http", "server: { auth: { mode: oauth, issuer: «'http://login.example.org', audience: [ a ] } }\n" + GOOD, "must be an https:// URL", 78),
    ("a keys storage without keys", "server: { auth: { storage: «main } }\n" + GOOD, "has no effect, because server.auth.mode is none", 0),
    ("an issuer without tokens", "server: { auth: { issuer: «'https://localhost' } }\n" + GOOD, "has no effect", 0),
    ("an audience with keys", "server: { auth: { mode: keys, storage: main, audience: «[ a ] } }\n" + GOOD, "has no effect, because server.auth.mode is keys", 0),
    ("open to a network that is not there", "server: { auth: { allow_unauthenticated_network: «true } }\n" + GOOD, "only this machine reaches the listeners", 0),
    ("a host with a scheme", "server: { allowed_hosts: [ a.example.org, «'https://b.example.org' ] }\n" + GOOD, "is no name as the Host header has it", 78),
    ("an origin without a scheme", "server: { allowed_origins: [ «console.example.org ] }\n" + GOOD, "write https://console.example.org", 78),
    ("an origin with a path", "server: { allowed_origins: [ «'https://console.example.org/' ] }\n" + GOOD, "is no origin", 78),
    ("a limit without a cache", "server: { rate_per_minute: «100 }\n" + GOOD, "needs a cache", 78),
    ("a key over http", "vector: { docs: { use: qdrant, url: «'http://192.0.2.1:6333', api_key: '${file:$F/secret}' } }\n" + GOOD, "over a plain connection", 0),
    ("a password in the conf's URL", "storage:\n  main: { use: postgres, url: «'postgresql://a:b@127.0.0.1/x' }\n" + APP, "holds a password", 0),
    # ---- names that must resolve ----
    ("a name that is not known", "vector: { docs: { use: qdrant, url: «'http://qdrant.invalid:6333' } }\n" + GOOD, "qdrant.invalid", 0),
    ("a name in an address", GOOD + "health: { t: { use: tcp, address: «'redis.invalid:6379' } }\n", "redis.invalid", 0),
    ("a socket that is not there", GOOD + "health: { t: { use: tcp, address: «'unix:$F/none' } }\n", "No such file", 0),
    ("a name of a webhook", GOOD + "alert: { w: { use: webhook, url: «'https://hooks.invalid/x' } }\n", "hooks.invalid", 0),
    # ---- times and sizes ----
    ("tries that take longer than the deadline", GOOD + "llm: { m: { use: openai, url: 'http://127.0.0.1:1/v1', model: m, «timeout: 20s, retries: 3, deadline: 30s } }\n",
     "the last ones are never made", 0),
    ("a timeout longer than the deadline", GOOD + "llm: { m: { use: openai, url: 'http://127.0.0.1:1/v1', model: m, «timeout: 60s, deadline: 30s } }\n",
     "which ends it first", 0),
    ("a check that takes longer than its pause", GOOD + "health: { t: { use: tcp, address: '127.0.0.1:1', «timeout: 10s, every: 5s } }\n", "is not shorter than `every`", 0),
    ("a deadline of an app", "storage: { main: { use: sqlite, path: x.db } }\napp: { knowledge: { storage: main, «deadline: 5s } }\n", "has no effect for an app", 0),
    ("a body larger than memory", "server: { limits: { memory: 64MiB, body: «128MiB } }\n" + GOOD, "one body may be larger", 0),
    ("more memory than there is", "server: { limits: { memory: «100TiB } }\n" + GOOD, "that this machine has", 0),
    ("a header line larger than the block", "server: { limits: { header_line: «64KiB } }\n" + GOOD, "header_line is larger", 0),
    ("too many workers", "server: { workers: «256 }\n" + GOOD, "more than four for each", 0),
    ("headers that may take longer than a request", "server: { request_deadline: 5s, limits: { header_timeout: «10s } }\n" + GOOD, "is longer than", 0),
    # ---- what is no mistake, or just none ----
    ("hosts and origins as they should be", "server: { allowed_hosts: [ a.example.org, '*', 'b:80' ], allowed_origins: [ 'https://c.example.org', 'http://d:81', 'null', '*', 'app://x' ] }\n"
     + GOOD, "good", 0),
    ("a host with a path", "server: { allowed_hosts: [ «a.example.org/b ] }\n" + GOOD, "is no name as the Host header has it", 78),
    ("hosts as one value", "server: { allowed_hosts: «'https://a' }\n" + GOOD, "is no name as the Host header has it", 78),
    ("a timeout as long as the deadline", GOOD + "llm: { m: { use: openai, url: 'http://127.0.0.1:1/v1', model: m, timeout: 30s, deadline: 30s, retries: 0 } }\n", "is unused", 0),
    ("tries as long as the deadline", GOOD + "llm: { m: { use: openai, url: 'http://127.0.0.1:1/v1', model: m, timeout: 10s, retries: 2, deadline: 30s } }\n", "is unused", 0),
    ("tries a little longer", GOOD + "llm: { m: { use: openai, url: 'http://127.0.0.1:1/v1', model: m, «timeout: 10001ms, retries: 2, deadline: 30s } }\n", "3 tries (retries + 1) of 10001ms each are 30003ms", 0),
    ("retries that are never made", GOOD + "llm: { m: { use: openai, url: 'http://127.0.0.1:1/v1', model: m, «retries: 9, deadline: 2m } }\n", "10 tries", 0),
    ("a deadline shorter than the default timeout", GOOD + "llm: { m: { use: openai, url: 'http://127.0.0.1:1/v1', model: m, «deadline: 1s } }\n", "which ends it first", 0),
    ("a check as long as its pause", GOOD + "health: { t: { use: tcp, address: '127.0.0.1:1', «timeout: 5s, every: 5s } }\n", "is not shorter than `every`", 0),
    ("a check a little shorter than its pause", GOOD + "health: { t: { use: tcp, address: '127.0.0.1:1', timeout: 4999ms, every: 5s } }\n", "good", 0),
    ("a pause shorter than the default timeout", GOOD + "health: { «t: { use: tcp, address: '127.0.0.1:1', every: 1s } }\n", "is not shorter than `every`", 0),
    ("headers as long as a request", "server: { request_deadline: 10s, limits: { header_timeout: 10s } }\n" + GOOD, "good", 0),
    ("a body as large as memory", "server: { limits: { memory: 64MiB, body: 64MiB } }\n" + GOOD, "good", 0),
    ("memory smaller than the default body", "server: { limits: { memory: «16MiB } }\n" + GOOD, "one body may be larger", 0),
    ("a header line as large as the block", "server: { limits: { header_line: 32KiB } }\n" + GOOD, "good", 0),
    ("a block smaller than the default line", "server: { limits: { header_block: «4KiB } }\n" + GOOD, "header_line is larger", 0),
    ("as many workers as are of use", f"server: {{ workers: {min(256, 4 * os.cpu_count())} }}\n" + GOOD, "good", 0),
    ("a store that the environment chooses", "storage: { main: { use: sqlite, path: x.db }, other: { use: sqlite, path: y.db } }\n"
     "app: { knowledge: { storage: '${WHICH:-main}' } }\n", "good", 0),
    ("keys in a store that the environment chooses", "server: { auth: { mode: keys, storage: '${WHICH:-main}' } }\n"
     "storage: { main: { use: sqlite, path: x.db }, other: { use: sqlite, path: y.db } }\napp: { filesystem: { roots: [ $F/folder ] } }\n", "good", 0),
    ("a store for keys alone", "server: { auth: { mode: keys, storage: main } }\nstorage: { main: { use: sqlite, path: x.db } }\napp: { filesystem: { roots: [ $F/folder ] } }\n",
     "good", 0),
    ("apps that listeners share", "server: { listen: [ { address: '127.0.0.1:0', apps: [knowledge] }, { address: 'unix:$F/s', apps: [filesystem] } ] }\n"
     "storage: { main: { use: sqlite, path: x.db } }\napp:\n  knowledge: { storage: main }\n  filesystem: { roots: [ $F/folder ] }\n", "good", 0),
    ("open to the network for its metrics", "server: { metrics_listen: ':7001', auth: { allow_unauthenticated_network: true } }\n" + GOOD, "good", 0),
    ("open to the network that keys guard", "server: { auth: { mode: keys, storage: main, allow_unauthenticated_network: «true } }\n" + GOOD, "server.auth.mode asks everybody", 0),
    ("an audience without anything", "server: { auth: { audience: «[ a ], tenant_claim: t } }\n" + GOOD, "has no effect, because server.auth.mode is none", 0),
    ("a limit with a cache", "server: { rate_per_minute: 100 }\ncache: { main: { use: memory } }\n" + GOOD, "good", 0),
    ("a deadline of a storage", "storage: { main: { use: sqlite, path: x.db, deadline: 5s } }\n" + APP, "good", 0),
    # ---- more of names and credentials ----
    ("several hosts in a URL", "storage:\n  main: { use: postgres, url: «'postgresql://a@one.invalid:1,127.0.0.1:2,two.invalid,[::1]:3/x?sslmode=disable' }\n" + APP, "one.invalid", 0),
    ("a name twice",
     "health: { t: { use: tcp, address: «'same.invalid:1' }, u: { use: tcp, address: 'same.invalid:2' }, v: { use: tcp, address: 'x.invalid:2' } }\n" + GOOD, "same.invalid", 0),
    ("a password as a default of the environment", "storage:\n  main: { use: postgres, url: «'${URL:-postgresql://a:b@127.0.0.1/x}' }\n" + APP, "holds a password", 0),
    ("a user without a password", "storage:\n  main: { use: postgres, url: 'postgresql://a@127.0.0.1:5/x' }\n" + APP, "good", 0),
    ("a password before a short name", "storage:\n  main: { use: postgres, url: «'postgresql://a:b@x.y/z' }\n" + APP, "holds a password", 0),
    ("an empty password", "storage:\n  main: { use: postgres, url: 'postgresql://a:@127.0.0.1/x' }\n" + APP, "good", 0),
    ("keys over http to this machine", GOOD + "vector: { a: { use: qdrant, url: 'http://127.9.9.9:1', api_key: '${file:$F/secret}' },"
     " b: { use: qdrant, url: 'http://[::1]:1', api_key: '${file:$F/secret}' }, c: { use: qdrant, url: 'http://u@localhost/x', api_key: '${file:$F/secret}' } }\n", "is unused", 0),
    ("a key over https", GOOD + "vector: { «a: { use: qdrant, url: 'https://127.0.0.1:1', api_key: '${file:$F/secret}' } }\n", "is unused", 0),
    ("a key over http to another machine, with a user", "vector: { docs: { use: qdrant, url: «'http://u@192.0.2.1:6333/127.', api_key: '${file:$F/secret}' } }\n" + GOOD, "sends api_key over a plain connection", 0),
    ("a token over http", "alert: { w: { use: webhook, url: «'http://192.0.2.1/x', token: '${file:$F/secret}' } }\n" + GOOD, "sends token over a plain connection", 0),
    # ---- more of paths and listeners ----
    ("a path at the top", "storage: { main: { use: sqlite, path: /dev/null } }\n" + APP, "good", 0),
    ("the log to nowhere", "log: { file: /dev/null }\n" + GOOD, "good", 0),
    ("a database that is a socket", "log: { file: «$F/a.sock }\n" + GOOD, "is a socket, and has to be a file", 78),
    ("a root that is a device", "app: { filesystem: { roots: [ «/dev/null ] } }\n", "is a device or a pipe", 78),
    ("dots above what is there",
     "storage:\n  main: { use: sqlite, path: $F/new/./a/../x.db }\n  two: { use: sqlite, path: «$F//new/x.db }\n" + APP, "is the path of storage.main too", 78),
    ("dots that go above the root", "storage:\n  main: { use: sqlite, path: /../../../$F/x.db }\n  two: { use: sqlite, path: «$F/x.db }\n" + APP, "is the path of storage.main too", 78),
    ("a vector store around a database", "storage: { main: { use: sqlite, path: $F/v/x.db } }\nvector: { d: { use: local, path: «$F/v } }\n" + APP, "holds the path of storage.main", 0),
    ("paths that only look alike", "storage: { main: { use: sqlite, path: $F/vv/x.db } }\nvector: { d: { use: local, path: $F/v } }\n" + APP, "is unused", 0),
    ("data_dir that only looks doubled", "data_dir: $F/data\nstorage: { main: { use: sqlite, path: database/x.db } }\n" + APP, "good", 0),
    ("the same port of different addresses", "server: { listen: [ '127.0.0.1:7001', '127.0.0.2:7001', '127.0.0.1:0', '127.0.0.1:7002' ] }\n" + GOOD, "good", 0),
    ("a socket at the top", "server: { listen: [ 'unix:/backplane-test-socket' ] }\n" + GOOD, "good", 0),
    ("a socket in this folder", "server: { listen: [ «'unix:s' ] }\n" + GOOD, "an absolute path", 78),
    ("a socket that is there", "server: { listen: [ 'unix:$F/a.sock' ] }\n" + GOOD, "good", 0),
    ("a socket of as many bytes as one may have", "server: { listen: [ 'unix:/tmp/" + "s" * 102 + "' ] }\n" + GOOD, "good", 0),
    ("a socket of one byte more", "server: { listen: [ «'unix:/tmp/" + "s" * 103 + "' ] }\n" + GOOD, "longer than the 107 bytes", 78),
    ("a socket in a folder that is a file", "server: { listen: [ «'unix:$F/file.txt/s' ] }\n" + GOOD, "is no folder: a socket cannot be made in it", 78),
    ("metrics at a socket of one byte more", "server: { metrics_listen: «'unix:/tmp/" + "s" * 103 + "' }\n" + GOOD, "longer than the 107 bytes", 78),
    ("no port in use", f"server: {{ listen: [ '127.0.0.1:0', 'localhost:0' ] }}\n" + GOOD, "good", 0),
    ("all of version 6 and one of version 4", "server: { listen: [ '[::]:7001', «'127.0.0.1:7001' ], auth: { allow_unauthenticated_network: true }, allowed_hosts: [ a ] }\n" + GOOD,
     "overlaps", 78),
    ("all of version 4 behind one", "server: { listen: [ '127.0.0.1:7001', «'0.0.0.0:7001' ], auth: { allow_unauthenticated_network: true }, allowed_hosts: [ a ] }\n" + GOOD,
     "overlaps", 78),
    ("a socket and a port", "server: { listen: [ 'unix:$F/s', '127.0.0.1:7001' ] }\n" + GOOD, "good", 0),
    ("metrics and a listener at one port", "server: { listen: [ '127.0.0.1:7001' ], metrics_listen: «'localhost:7001' }\n" + GOOD, "overlaps", 78),
    ("$HOME in an address", "server: { listen: [ «'unix:$HOME/s' ] }\n" + GOOD, "an absolute path", 78),
    ("%NAME% in the middle", "storage: { main: { use: sqlite, path: 'a%NAME%/x.db' } }\n" + APP, "good", 0),
    ("signs that are no words for a shell", "storage: { main: { use: sqlite, path: 'a$/~/%A/$1/x$.db' } }\n" + APP, "good", 0),
    ("$A1_B and more", "storage: { main: { use: sqlite, path: «'$A1_B-c/x.db' } }\n" + APP, "holds $A1_B, which only", 78),
    ("~ alone", "app: { filesystem: { roots: [ «'~' ] } }\n", "only a shell understands", 78),
    ("a long command", "storage: { main: { use: sqlite, path: «'$(" + "x" * 60 + ")/x.db' } }\n" + APP, "which only a shell understands", 78),
]


def place_of(text):
    """The conf without its mark, and where the mark stood."""
    text = text.replace("$F", F)
    at = text.find("«")
    if at < 0:
        return text, None
    before = text[:at]
    return text.replace("«", "", 1), (before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1)


def needs(text):
    """Plugins that this build may not have."""
    return {name for name in ("vector/qdrant", "embed/onnx", "storage/postgres", "app/git") if name.split("/")[1] in text} - BUILT


def tree(folder):
    return sorted(os.path.join(root, name) for root, folders, names in os.walk(folder) for name in folders + names)


def of_every_machine(said):
    for pattern, word in ((re.escape(F), "$F"), (re.escape(PLUGINS), "$PLUGINS"), (r"\b[0-9a-f]{64}\b", "SHA256"), (rf"\b{BUSY}\b", "BUSY"),
                           (r"resolved here: .*", "resolved here: WHY"), (r"\d+ MiB that this", "N MiB that this"),
                          (r"\d+ cores of this", "N cores of this"),
                          (r"the \d+ files that a process", "the N files that a process")):
        said = re.sub(pattern, word, said)
    return NOISE.sub("", said)


def try_out(number):
    """The output for a mistake, as lines, and the fault in it; an empty text if there is none."""
    what, marked, words, status = MISTAKES[number]
    text, place = place_of(marked)
    folder = os.path.join(F, f"run-{number:03}")
    os.makedirs(folder)
    with open(folder + "/c.yaml", "w") as file:
        file.write(text)
    done = run("check", "-c", "c.yaml", cwd=folder, seconds=60)
    made = tree(folder)
    shutil.rmtree(folder)
    said = of_every_machine(done.stdout + done.stderr).replace(folder.replace(F, "$F"), "$RUN")
    is_good = words == "good"
    lines = [line for line in (done.stdout if is_good else done.stderr).split("\n") if words in line and (not place or f"c.yaml:{place[0]}:{place[1]}:" in line)]
    problem = ""
    if done.returncode != status:
        problem = f"{what}: status {done.returncode}, wanted {status}\n{text}\n{said}"
    elif not lines or (is_good and NOISE.sub("", done.stderr)) or (status == 0 and not is_good and "warning: " not in lines[0]):
        problem = f"{what}: wanted {place} {words!r}\n{text}\n{said}"
    elif made != [folder + "/c.yaml"]:
        problem = f"{what}: check has written {made}"
    return ["# " + what] + shown(said, "  "), problem


def every_mistake_is_told_at_its_place():
    check(len(MISTAKES) >= 125, f"the table has {len(MISTAKES)} mistakes")
    before, tried = tree(F), [number for number, mistake in enumerate(MISTAKES) if not needs(mistake[1])]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(try_out, tried))
    wrong = [problem for _, problem in found if problem]
    for line in wrong:
        print("        " + line)
    check(not wrong, f"{len(wrong)} of {len(tried)} mistakes get no or another answer")
    check_equal(tree(F), before, "files")
    print(f"        {len(tried)} mistakes")
    if len(tried) == len(MISTAKES) and os.geteuid() == 0:  # others may read and write less
        compare(os.path.splitext(os.path.abspath(__file__))[0] + ".said", [line for lines, _ in found for line in lines])


def written(text, name="c.yaml"):
    path = os.path.join(F, name)
    with open(path, "w") as file:
        file.write(place_of(text)[0])
    return path


def offline_looks_at_the_text_alone():
    path = written("data_dir: $F/none/data\napp: { filesystem: { roots: [ $F/none ] } }\n")
    check_equal(run("check", "-c", path).returncode, 78, "the world")
    check_equal(run("check", "--offline", "-c", path).returncode, 0, "--offline")


def a_good_conf_is_good_and_leaves_nothing_behind():
    path = written("data_dir: $F/new/data\nlog: { file: x.log }\n" + GOOD)
    before = tree(F)
    done = run("check", "-c", path)
    said = [line for line in done.stderr.split("\n") if line and "ASan doesn't" not in line]
    check(done.returncode == 0 and not said and "good" in done.stdout, done.stderr + done.stdout)
    check_equal(run("check", "-q", "-c", path).stdout, "", "-q")
    check_equal(run("check", "--strict", "-c", path).returncode, 0, "--strict of a good one")
    check_equal(tree(F), before, "files")
    check_equal(run("check", "--strict", "-c", written("vector: { docs: { use: local, path: d } }\n" + GOOD)).returncode, 78, "--strict of a warning")


def json_has_it_all():
    done = run("check", "--json", "-c", written("server: { workers: many }\n" + GOOD))
    made = json.loads(done.stdout)
    check_equal((done.returncode, made["good"], made["errors"], made["problems"][0]["line"], made["problems"][0]["column"]), (78, False, 1, 1, 20), f"{made}")
    check("many" in made["problems"][0]["message"] and made["problems"][0]["path"] == "server.workers", f"{made}")
    made = json.loads(run("check", "--json", "-c", written(GOOD)).stdout)
    check(made["good"] and made["instances"] == 2, f"{made}")


def another_user_is_asked_for():
    done = run("check", "--user", "no-such-user-here", "-c", written(GOOD))
    check(done.returncode == 2 and "no-such-user-here" in done.stderr, done.stderr)
    if os.geteuid() != 0:
        return
    os.chmod(F, 0o755)
    os.chmod(OUTER, 0o755)
    for text, words in (("app: { filesystem: { roots: [ «$F/root-only ] } }\n", "cannot be read by nobody"),
                        ("storage: { main: { use: sqlite, path: «$F/root-only/x.db } }\n" + APP, "nobody may not write"),
                        ("server: { listen: [ «'127.0.0.1:80' ] }\n" + GOOD, "nobody may not listen on port 80"),
                        ("data_dir: «$F/folder/data\n" + GOOD, "nobody may not write")):
        place = place_of(text)[1]
        done = run("check", "--user", "nobody", "-c", written(text))
        check(done.returncode == 78 and re.search(rf"c\.yaml:{place[0]}:{place[1]}: .*{words}", done.stderr), f"{text}: {done.stderr}")
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        first = int(file.read())
    for port in (first - 1, first):
        done = run("check", "--user", "nobody", "-c", written(f"server: {{ listen: [ '127.0.0.1:{port}' ] }}\n" + GOOD))
        check_equal("nobody may not listen on port" in done.stderr, 0 < port < first, f"nobody at port {port}: {done.stderr}")


def variables_of_the_runbooks_that_nothing_uses_are_told_once():
    path = written(GOOD)
    done = run("check", "-c", path, environment={"DATABASE_URL": "postgresql://u:s3cret@db/x", "QDRANT_URL": "http://q:6333"})
    check(done.returncode == 0 and done.stderr.count("DATABASE_URL") == 1 and "QDRANT_URL" in done.stderr, done.stderr)
    check("s3cret" not in done.stderr, "the value is shown")
    path = written(GOOD + "vector: { docs: { use: local, path: '${QDRANT_URL:-d}' } }\n")
    check("QDRANT_URL" not in run("check", "--offline", "-c", path, environment={"QDRANT_URL": "x"}).stderr, "one that is used")


def usual_spellings_are_taken_from_the_environment():
    path = written("server: { metrics: '${METRICS_ENABLED}', access_log: '${ACCESS:-on}' }\nlog: { level: '${LOG_LEVEL}' }\n" + GOOD)
    for metrics, level, access, wanted in (("1", "WARNING", "true", ("true", "warn", "on")), ("0", "CRITICAL", "0", ("false", "error", "off")),
                                           ("Yes", "Info", "no", ("true", "info", "off")), ("disabled", "trace", "errors", ("false", "debug", "errors")),
                                           (" on ", "err", "1", ("true", "error", "on"))):
        done = run("config", "--json", "-c", path, environment={"METRICS_ENABLED": metrics, "LOG_LEVEL": level, "ACCESS": access})
        check_equal(done.returncode, 0, done.stderr)
        made = json.loads(done.stdout)
        found = (str(made["server"]["metrics"]).lower(), made["log"]["level"], made["server"]["access_log"])
        check_equal(tuple({"true": "on", "false": "off"}.get(str(x).lower(), str(x).lower()) for x in found),
                    tuple({"true": "on", "false": "off"}.get(x, x) for x in wanted), f"{metrics}, {level}, {access}")
    done = run("check", "-c", path, environment={"METRICS_ENABLED": "2", "LOG_LEVEL": "loud"})
    check(done.returncode == 78 and "loud" in done.stderr, done.stderr)


make_files()
try:
    run_tests([every_mistake_is_told_at_its_place, offline_looks_at_the_text_alone, a_good_conf_is_good_and_leaves_nothing_behind, json_has_it_all,
               another_user_is_asked_for, variables_of_the_runbooks_that_nothing_uses_are_told_once, usual_spellings_are_taken_from_the_environment])
finally:
    busy.close()
    os.chmod(F + "/closed", 0o700)
    shutil.rmtree(OUTER)
