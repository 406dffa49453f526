"""test_docs_curl.py - every curl line of the pages, and of the comments of sample confs, works.

Its server has the conf that the page is about: the port is that conf's, the status is 2xx, what a pipe looks for is found, and
the answer that a page shows is given.

A page whose lines need a conf or documents has a row in PAGES; one that has curl lines and no row is a mistake.
"""
import glob
import json
import os
import re
import shutil
import subprocess

from backplane_test import SOURCE, Server, check, check_equal, run_tests, skip, wait_until

LINE = re.compile(r"(?:\$ )?(curl .*?)(?:\s{2,}#.*)?$")
PLACE = re.compile(r"(127\.0\.0\.1|localhost):(\d+)")


class SampleServer(Server):
    """One of the confs in conf/, as it stands, on a free port."""

    def __init__(self, name):
        super().__init__(made=lambda folder: {"data_dir": os.path.join(folder, "data")},
                         before_exec=lambda: os.chdir(SOURCE))
        self.conf_path = os.path.join(SOURCE, "conf", name + ".yaml")
        self.environment.update(DATA_DIR=self.data, LISTEN="127.0.0.1:0", GIT_LISTEN="127.0.0.1:0",
                                REPOSITORIES=self.folder)
        with open(self.conf_path, encoding="utf-8") as file:
            self.page_port = re.search(r"LISTEN:-127\.0\.0\.1:(\d+)", file.read())[1]

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()  # a sample conf waits for load balancers before it ends
        super().close()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)


# ---- what must be there before the lines of a page ----

def nothing(server):
    pass


def own_docs_are_indexed(server):
    files = len(glob.glob(SOURCE + "/docs/**/*.md", recursive=True))
    wait_until(lambda: server.get("/api/v1/collections/docs").json.get("ready", 0) >= files, 60, "docs/ is not indexed")


def docs_and_articles(server):
    own_docs_are_indexed(server)
    article = {"id": "42", "title": "Trains", "text": "Train tickets are booked early.", "metadata": {"year": 2025}}
    server.write("articles.jsonl", json.dumps(article) + "\n")


def one_entity(server):
    line = b'{"type": "entity", "name": "Ann", "entityType": "person", "observations": ["likes trains"]}\n'
    answer = server.post("/api/knowledge/import", line, headers={"Content-Type": "application/x-ndjson"})
    check_equal(answer.status, 200, f"import: {answer.body}")


def one_repository(server):
    if not shutil.which("git"):
        skip("the command git is not on this machine")
    for words in ("init -q mine", "-C mine -c user.name=a -c user.email=a@b.c commit -q --allow-empty -m first"):
        subprocess.run(["git", *words.split()], cwd=server.folder, check=True)


# page: its conf, what is done first, and what of an answer the text around a line promises
PAGES = {
    "README.md": ("backplane", own_docs_are_indexed, {}),
    "docs/getting-started.md": ("backplane", docs_and_articles, {
        "api/v1/answer": '"found":true', "api/v1/search": '"document":"a1"', "articles.jsonl": '"stored":1'}),
    "docs/commands.md": ("backplane", own_docs_are_indexed, {"/commands/retrieval/search": '{"end":{"status":0}}'}),
    "docs/plugins-authoring.md": ("backplane", nothing, {"/health": '"components"'}),
    "docs/apps/journal.md": ("journal", nothing, {"/health": '"database"', "/metrics": "mcp_journal_sessions_active"}),
    "docs/apps/knowledge.md": ("knowledge", one_entity, {"import": '"entities"'}),
    "docs/apps/questioning.md": ("questioning", nothing, {
        "question ": '"questions"', "/reset": '"status":"success"', "monitoring/metrics": "total_requests",
        "/metrics |": "questioning_requests_total"}),
    "conf/git.yaml": ("git", one_repository, {"/log": "first"}),
}


def curl_lines(path):
    """(line number, command, the answer that the page shows or None) of one page."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    for number, line in enumerate(lines):
        for inline in re.findall(r"`(curl [^`]+)`", line):
            yield number + 1, inline, None
        text, end = re.sub(r"^#\s+", "", line) if path.endswith(".yaml") else line, number
        while text.endswith("\\"):
            end += 1
            text = text[:-1] + lines[end].strip()
        found = LINE.fullmatch(text.strip())
        if found and (text != text.strip() or text.startswith("$ ") or path.endswith(".yaml")):
            yield number + 1, found[1], lines[end + 1] if text.startswith("$ ") else None


def pages():
    found = glob.glob(SOURCE + "/docs/**/*.md", recursive=True) + glob.glob(SOURCE + "/conf/*.yaml")
    for path in [os.path.join(SOURCE, "README.md")] + sorted(found):
        lines = list(curl_lines(path))
        if any(PLACE.search(command) for _, command, _ in lines):
            yield os.path.relpath(path, SOURCE), [one for one in lines if PLACE.search(one[1])]


def wrong_with(server, command, shown, promised):
    """Empty when the line does what the page says."""
    ports = {port for _, port in PLACE.findall(command)}
    if ports != {server.page_port}:
        return f"its port is not that of the conf, {server.page_port}"
    here = PLACE.sub(lambda place: f"{place[1]}:{server.port}", command)
    here = re.sub(r"^curl ", "curl -sS --noproxy '*' --max-time 20 --write-out '%{stderr} status %{http_code}' ", here)
    done = subprocess.run(["bash", "-o", "pipefail", "-c", here], cwd=server.folder, capture_output=True, text=True,
                          timeout=60)
    status = re.search(r" status (\d+)$", done.stderr)
    if done.returncode != 0 or not status or not status[1].startswith("2"):
        return f"exit {done.returncode}, {done.stderr.strip()}, {done.stdout[:300]!r}"
    wanted = list(promised) + ([piece for piece in shown.split("...") if piece.strip(",")] if shown else [])
    at = 0
    for piece in wanted:
        at = done.stdout.find(piece, at) + len(piece)
        if piece not in done.stdout or at < len(piece):
            return f"its answer has no {piece!r}: {done.stdout[:600]!r}"
    return ""


def every_curl_line_works():
    wrong, tried = [], 0
    for page, lines in pages():
        if page not in PAGES:
            wrong.append(f"{page} has curl lines: say in PAGES with which conf they work")
            continue
        name, before, promises = PAGES[page]
        with SampleServer(name) as server:
            before(server)
            for number, command, shown in lines:
                promised = [text for part, text in promises.items() if part in command][:1]
                said = wrong_with(server, command, shown, promised)
                tried += 1
                wrong += [f"{page}:{number}: {command}: {said}"] if said else []
            unused = [part for part in promises if not any(part in command for _, command, _ in lines)]
            wrong += [f"{page} has no curl line with {part!r}: mend PAGES" for part in unused]
    print("\n".join("        " + line for line in wrong))
    check(tried >= 16, f"only {tried} curl lines were found")
    check(not wrong, f"{len(wrong)} of {tried} curl lines are wrong")
    print(f"        {tried} curl lines")


if not shutil.which("curl"):
    skip("the command curl is not on this machine")
run_tests([every_curl_line_works])
