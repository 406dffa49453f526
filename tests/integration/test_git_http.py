"""test_git_http.py - the app git in a real server: its routes, the deadline on a long history, many
requests at once, and a repository that is changed while it is read."""
import concurrent.futures
import os
import subprocess
import tempfile
import time

from backplane_test import Server, check, check_equal, run_tests

FOLDER = tempfile.mkdtemp(prefix="backplane-test-")
ROOT = os.path.join(FOLDER, "root")
ENVIRONMENT = {**os.environ, "HOME": FOLDER, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada", "LC_ALL": "C",
               "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada",
               "GIT_COMMITTER_EMAIL": "ada@example.org"}


def git(folder, *arguments, stdin=None):
    subprocess.run(["git", "-c", "init.defaultBranch=main", *arguments], cwd=folder, env=ENVIRONMENT, check=True,
                   capture_output=True, input=stdin)


def make_small():
    folder = os.path.join(ROOT, "small")
    os.makedirs(folder)
    git(folder, "init", "-q")
    with open(os.path.join(folder, "file.txt"), "w") as file:
        file.write("one\ntwo\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")


def make_long(commits):
    """One file of which every commit changes a line: what a blame is slowest with."""
    folder = os.path.join(ROOT, "long")
    os.makedirs(folder)
    git(folder, "init", "-q")
    lines = [f"line {i}" for i in range(50)]
    stream = []
    for n in range(commits):
        lines[n * 7919 % 49] = f"line of commit {n}"
        text = "\n".join(lines) + "\n"
        stream.append(f"commit refs/heads/main\ncommitter Ada <ada@example.org> {1700000000 + n} +0000\n"
                      f"data 2\nc\nM 100644 inline file.txt\ndata {len(text)}\n{text}\n")
    git(folder, "fast-import", "--quiet", stdin="".join(stream).encode())
    git(folder, "checkout", "-q", "main")


os.makedirs(ROOT)
make_small()
make_long(40000)


def make_server(name, deadline):
    return Server(made={"data_dir": os.path.join(FOLDER, name), "server": {"listen": ["127.0.0.1:0"], "workers": 2},
                        "app": {"git": {"repositories": [ROOT], "deadline": deadline}}})


server, hasty = make_server("data", "30s"), make_server("hasty", "100ms")


def post(route, to=server, **body):
    return to.post(route, body)


def the_routes_answer():
    check_equal(server.get("/health").status, 200, "/health")
    found = post("/log", repo_path="small", max_commits=10)
    check_equal((found.status, [commit["message"] for commit in found.json["commits"]]), (200, ["first\n"]), "/log")
    check_equal(post("/search", repo_path="small", query="two").json["results"],
                [{"path": "file.txt", "line": 2, "text": "two"}], "/search")
    check_equal([line["text"] for line in post("/blame", repo_path="small", path="file.txt").json["blame"]],
                ["one", "two"], "/blame")
    check_equal(len(post("/log", repo_path="long", max_commits=100000).json["commits"]), 1000, "commits at most")
    check("+line of commit 39999" in post("/diff", repo_path="long", commit1="HEAD~1").json["diff"], "/diff")
    check_equal(post("/log", repo_path="/etc").status, 403, "outside")
    check_equal(post("/log", repo_path="none").status, 404, "missing")
    check_equal(post("/diff", repo_path="small", commit1="--output=x").status, 400, "an option")


def a_blame_of_a_long_history_ends_in_time():
    with hasty:
        began = time.monotonic()
        found = post("/blame", to=hasty, repo_path="long", path="file.txt")
        took = time.monotonic() - began
    print(f"/blame of a long history: {found.status} after {took:.3f} s")
    check_equal(found.status, 504, f"/blame: {found.body[:200]}")
    check("took longer than" in found.message, found.message)
    check(took < 3, f"it took {took:.1f} s with a deadline of 0.1 s")


def many_at_once_all_see_a_whole_repository():
    folder = os.path.join(ROOT, "small")

    def read(n):
        found = post("/diff" if n % 2 else "/log", repo_path="small", commit1="HEAD", max_commits=5)
        return found.status, found.body[:300]

    def change():
        for n in range(30):
            with open(os.path.join(folder, "file.txt"), "a") as file:
                file.write(f"{n}\n")
            git(folder, "commit", "-q", "-a", "-m", f"change {n}")
        git(folder, "gc", "-q")

    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        changing = pool.submit(change)
        answers = list(pool.map(read, range(400)))
        changing.result()
    wrong = [answer for answer in answers if answer[0] != 200]
    check(not wrong, f"{len(wrong)} of {len(answers)} failed: {wrong[:2]}")


def it_answers_fast_enough():
    began = time.monotonic()
    for _ in range(200):
        check_equal(post("/log", repo_path="small", max_commits=5).status, 200, "/log")
    took = (time.monotonic() - began) / 200
    print(f"/log of a small repository: {took * 1000:.2f} ms a request, one after the other")
    check(took < 0.1, f"{took * 1000:.0f} ms for /log")


with server:
    run_tests([the_routes_answer, a_blame_of_a_long_history_ends_in_time, many_at_once_all_see_a_whole_repository,
               it_answers_fast_enough])
