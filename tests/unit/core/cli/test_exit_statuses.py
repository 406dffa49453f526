"""test_exit_statuses.py - the command line: exit statuses, the sample confs, working without a server, one store for one process."""
import glob
import json
import os
import re
import shutil
import socket
import tempfile

from backplane_test import PLUGINS, SOURCE, Server, check, check_equal, conf, run, run_tests

folder = tempfile.mkdtemp(prefix="backplane-test-")


def write_conf(made, name="test.yaml"):
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write(made if isinstance(made, str) else json.dumps(made))
    return path


def a_good_conf_passes_and_a_bad_one_is_told_by_line_and_column():
    good = write_conf(conf(folder))
    check_equal(run("check", "-c", good).returncode, 0, "a good conf")
    bad = write_conf("server:\n  workers: many\n  lissten: [ 1 ]\nstorage:\n  main: { use: sqlight }\n", "bad.yaml")
    done = run("check", "-c", bad)
    check_equal(done.returncode, 78, f"a bad conf: {done.stderr}")
    said = done.stdout + done.stderr
    for line, word in ((2, "workers"), (3, "listen"), (5, "sqlight")):
        check(re.search(rf"bad\.yaml:{line}:\d+: .*{word}", said), f"line {line}, {word}: {said}")
    check_equal(run("serve", "-c", bad, seconds=20).returncode, 78, "serving it")
    check_equal(run("check", "-c", folder + "/none.yaml").returncode, 78, "a conf that is not there")


def config_and_schema_print_what_programs_can_read():
    path = write_conf(conf(folder))
    effective = run("config", "-c", path)
    check(effective.returncode == 0 and "keep_alive_timeout" in effective.stdout, effective.stderr)
    schema = run("schema", "-c", path)
    check(schema.returncode == 0 and "$schema" in json.loads(schema.stdout), schema.stderr)
    listed = json.loads(run("plugins", "-c", path, "--json").stdout)
    check("retrieval" in json.dumps(listed), f"{listed}")
    os.makedirs(folder + "/pages")
    check_equal(run("docs", "-c", path, folder + "/pages").returncode, 0, "docs")
    check_equal(run("docs", "-c", path, "--check", folder + "/pages").returncode, 0, "docs --check of fresh pages")
    page = glob.glob(folder + "/pages/**/*.md", recursive=True)[0]
    with open(page, "a") as file:
        file.write("changed\n")
    check(run("docs", "-c", path, "--check", folder + "/pages").returncode != 0, "docs --check of a changed page")


def a_wrong_command_line_is_exit_2():
    for arguments in (["serv"], ["serve", "--fast"], ["check", "a", "b"], ["key"], ["key", "burn"], ["ingest"], ["eval"],
                      ["search", "--collection", "x"], ["inspect"]):
        done = run(*arguments)
        check_equal(done.returncode, 2, f"{arguments}: {done.stderr}")
        check(len(done.stderr) > 10, f"{arguments} says nothing")
    check("did you mean \"serve\"" in run("serv").stderr, "the nearest command")
    check_equal(run("version").returncode, 0, "version")
    check("ingest" not in run("help", cwd=folder).stdout, "help without a conf")
    check(re.search(r"^  ingest +PATH", run("help", "-c", write_conf(conf(folder))).stdout, re.M), "help with a conf")


def a_taken_address_is_exit_71():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = run("serve", "-c", write_conf(conf(folder, server={"listen": [address]})), seconds=20)
        check_equal(done.returncode, 71, done.stderr)
        check(address in done.stderr, f"the address is not named: {done.stderr}")


def a_store_that_cannot_start_is_exit_74():
    with open(os.path.join(folder, "a-file"), "w") as file:
        file.write("not a folder")
    made = conf(folder, storage={"main": {"use": "sqlite", "path": os.path.join(folder, "a-file", "x.db")}})
    done = run("serve", "-c", write_conf(made), seconds=20)
    check_equal(done.returncode, 74, done.stderr)
    check("a-file" in done.stderr, f"the path is not named: {done.stderr}")
    with open(os.path.join(folder, "broken.db"), "wb") as file:
        file.write(b"this is not a database " * 400)
    made = conf(folder, storage={"main": {"use": "sqlite", "path": os.path.join(folder, "broken.db")}})
    check_equal(run("serve", "-c", write_conf(made), seconds=20).returncode, 74, "a file that is no database")


def the_sample_confs_pass():
    built = {"/".join(path.split("/")[-2:])[:-3] for path in glob.glob(PLUGINS + "/*/*.so")}
    checked = []
    for path in sorted(glob.glob(SOURCE + "/conf/*.yaml")):
        done = run("check", "--offline", "-c", path, environment={"DATA_DIR": folder + "/sample", "DOCUMENTS_DIR": folder})
        missing = [name for name in re.findall(r"there is no plugin (\w+/\w+)", done.stdout + done.stderr)
                   if name not in built]
        if missing:
            print(f"        {os.path.basename(path)} names plugins that are not built: {missing}")
            continue
        check_equal(done.returncode, 0, f"{path}: {done.stdout}{done.stderr}")
        checked.append(path)
    print("        checked: " + ", ".join(map(os.path.basename, checked)))


def documents_go_in_and_are_found_without_a_server():
    notes = os.path.join(folder, "notes")
    os.makedirs(notes)
    with open(notes + "/a.md", "w") as file:
        file.write("# Ferns\n\nFerns like shade.\n")
    with open(notes + "/b.jsonl", "w") as file:
        file.write('{"id": "42", "title": "Moss", "text": "Moss likes water."}\n')
    path = write_conf(conf(folder, app={"scan": "1d"}))
    done = run("ingest", "--collection", "plants", "-c", path, notes + "/b.jsonl", notes)
    check_equal(done.returncode, 0, done.stderr)
    for word, wanted in (("ferns", "a.md"), ("moss", "42")):
        done = run("search", "--collection", "plants", "-c", path, word)
        check(done.returncode == 0 and wanted in done.stdout, f"{word}: {done.stdout}{done.stderr}")
    check(run("search", "--collection", "nothing", "-c", path, "x").returncode != 0, "a collection that is not there")


def a_store_in_use_is_told_with_the_process_that_has_it():
    with Server() as server:
        done = server.run("search", "--collection", "docs", "x", seconds=30)
        check(done.returncode in (1, 74), f"status {done.returncode}")
        check(f"process id {server.process.pid}" in done.stderr and "--url" in done.stderr, done.stderr)
        server.make_collection()
        done = run("search", "--collection", "docs", "--url", f"http://127.0.0.1:{server.port}", "x")
        check_equal(done.returncode, 0, f"by --url: {done.stderr}")
    done = run("search", "--collection", "docs", "--url", f"http://127.0.0.1:{server.port}", "x")
    check(done.returncode != 0 and "127.0.0.1" in done.stderr, f"no server there: {done.stderr}")


try:
    run_tests([
        a_good_conf_passes_and_a_bad_one_is_told_by_line_and_column,
        config_and_schema_print_what_programs_can_read,
        a_wrong_command_line_is_exit_2,
        a_taken_address_is_exit_71,
        a_store_that_cannot_start_is_exit_74,
        the_sample_confs_pass,
        documents_go_in_and_are_found_without_a_server,
        a_store_in_use_is_told_with_the_process_that_has_it,
    ])
finally:
    shutil.rmtree(folder)
