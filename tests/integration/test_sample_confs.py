"""test_sample_confs.py - `backplane check` takes every conf in conf/, with the plugins' own options: in an empty environment, and
with the names that the runbooks give the servers."""
import glob
import os
import tempfile

from backplane_test import SOURCE, check, check_equal, run, run_tests

SERVERS = {"DATABASE_URL": "postgresql+asyncpg://app:s3cret@db.internal:5432/app", "REDIS_URL": "redis://redis.internal:6379/1",
           "QDRANT_URL": "https://qdrant.internal:6333", "QDRANT_API_KEY": "s3cret", "STORAGE": "postgres",
           "VECTOR_STORE": "qdrant", "LOG_LEVEL": "INFO", "METRICS_ENABLED": "false", "ASYNC_WORKERS": "4"}
CONFS = sorted(glob.glob(os.path.join(SOURCE, "conf", "*.yaml")))


def checked(path, **environment):
    with tempfile.TemporaryDirectory() as folder:
        done = run("check", "--offline", "-c", path, environment={"DATA_DIR": folder, **environment})
        said = done.stdout + done.stderr
        check_equal(done.returncode, 0, f"{os.path.basename(path)}: {said[-600:]}")
        check("s3cret" not in said, f"{os.path.basename(path)}: a secret is shown: {said}")


def every_conf_is_good_in_an_empty_environment():
    check(len(CONFS) >= 12, f"confs: {CONFS}")
    for path in CONFS:
        checked(path)


def every_conf_takes_the_names_of_the_runbooks():
    for path in CONFS:
        checked(path, **SERVERS)


def the_confs_of_servers_say_what_is_wrong_with_a_url():
    for name, variable in (("postgres", "DATABASE_URL"), ("redis", "REDIS_URL"), ("qdrant", "QDRANT_URL"),
                           ("questioning", "DATABASE_URL")):
        with tempfile.TemporaryDirectory() as folder:
            done = run("check", "--offline", "-c", os.path.join(SOURCE, "conf", name + ".yaml"),
                       environment={"DATA_DIR": folder, variable: "htp:/nowhere"})
            check(done.returncode != 0 and "htp:/nowhere" in done.stdout + done.stderr,
                  f"{name}: {variable} is taken: {done.stdout + done.stderr}")


run_tests([every_conf_is_good_in_an_empty_environment, every_conf_takes_the_names_of_the_runbooks,
           the_confs_of_servers_say_what_is_wrong_with_a_url])
