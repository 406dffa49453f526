"""test_rolling_upgrade.py - two servers on one PostgreSQL while one release of an app replaces the other: the one before still
starts and serves on the tables of the newer one, the one before that is refused with a sentence."""
import os

import backends
from backplane_test import Server, check, check_equal, run_tests, skip
from postgres_server import PostgresServer

RELEASES = os.path.join(os.path.dirname(os.path.dirname(os.environ["BACKPLANE_FAULT_PLUGINS"])), "integration", "rolling")

if not backends.is_embedded():
    skip("it has back ends of its own")


def server(release, url):
    def made(folder):
        return {"data_dir": os.path.join(folder, "data"), "plugins": [os.path.join(RELEASES, release)],
                "server": {"listen": ["127.0.0.1:0"], "workers": 2},
                "storage": {"main": {"use": "postgres", "url": url, "pool_max": 4}},
                "app": {"rolling": {"storage": "main"}}}
    return Server(made=made)


def add(to, name):
    answer = to.post("/rolling", name.encode())
    check_equal(answer.status, 200, f"{answer.body!r}")
    return answer.json


def refused(release, url):
    """What a server of that release says that does not start."""
    one = server(release, url)
    try:
        one.start()
    except AssertionError as problem:
        check("ended with 74" in str(problem), str(problem))
        return one.log_text()
    finally:
        one.close()
    raise AssertionError(f"release {release} has started")


def books(name):
    return postgres.sql("SELECT version, works_from FROM backplane_migrations WHERE owner = 'rolling' ORDER BY version", name)


def a_release_lets_the_one_before_it_run():
    url, names = postgres.create_database("rolling"), []

    def both(older, newer, *added):
        """Each adds a name and sees all of them, those of the other too."""
        for one in (older, newer):
            for name in added:
                names.append(f"{name} {len(names)}")
                check_equal(add(one, names[-1]), names, "names")
        check_equal((older.get("/rolling").json, newer.get("/rolling").json), (names, names), "what both see")

    with server("1", url) as first, server("1", url) as second:
        both(first, second, "ann")
    check_equal(books("rolling"), [["1", "0"]], "the books")
    for release in (2, 3, 4):
        # The newer one comes up beside an older one that runs, then an older one restarts beside it.
        with server(str(release - 1), url) as running, server(str(release), url) as newer:
            both(running, newer, "bob")
            with server(str(release - 1), url) as restarted:
                both(restarted, newer, "cid", "Dörte")
                said = [line for line in restarted.log_lines() if "as the newer steps allow it" in line.get("message", "")]
                check_equal((len(said), said[0]["level"]), (1, "WARN"), restarted.log_text()[-2000:])
                check(f"holds version {release} of rolling, this program knows {release - 1}" in str(said[0]), str(said))
        check_equal(books("rolling")[-1], [str(release), str(release - 1)], "the books")
        if release > 2:
            text = refused(str(release - 2), url)
            check(f"holds version {release} of rolling, this program knows {release - 2}; step {release} (" in text and
                  f"works only with programs that know {release - 1} or more" in text, text[-2000:])


def a_release_that_breaks_the_one_before_says_so_and_serves_alone():
    url = postgres.create_database("breaking")
    with server("1", url) as first:
        add(first, "ann")
    with server("2_breaks", url) as newer:
        text = refused("1", url)
        check("step 2 (another name beside the first) works only with programs that know 2 or more: start a newer one" in text,
              text[-2000:])
        check_equal(add(newer, "bob"), ["ann", "bob"], "names")
    check_equal(books("breaking"), [["1", "0"], ["2", "0"]], "the books")


postgres = PostgresServer()
with postgres:
    run_tests([a_release_lets_the_one_before_it_run, a_release_that_breaks_the_one_before_says_so_and_serves_alone])
