"""test_git_reference.py - the app git beside mcp-server-git, the reference: the same calls on two copies of the same
repository, over standard input and output, and the same texts out.

The reference is fetched into the build directory when the test runs; without a registry the test is skipped.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from backplane_test import PROGRAM, check, check_equal, run_tests, skip

VERSION = "2026.10.19"
FETCHED = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(PROGRAM))), "fetched",
                       "mcp-server-git-" + VERSION)
FOLDER = tempfile.mkdtemp(prefix="backplane-test-")
# git as it is without anybody's settings, and always at the same second
ENVIRONMENT = {**os.environ, "HOME": FOLDER, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Ada Lovelace",
               "LC_ALL": "C",
               "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada Lovelace",
               "GIT_COMMITTER_EMAIL": "ada@example.org", "TZ": "UTC"}


def fetch_reference():
    program = os.path.join(FETCHED, "bin", "mcp-server-git")
    if not os.path.exists(program):
        shutil.rmtree(FETCHED, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", FETCHED], capture_output=True, text=True)
        if made.returncode == 0:
            made = subprocess.run([os.path.join(FETCHED, "bin", "pip"), "install", "-q", "mcp-server-git==" + VERSION],
                                  capture_output=True, text=True)
        if made.returncode:
            shutil.rmtree(FETCHED, ignore_errors=True)
            skip("the reference server cannot be installed: " + made.stderr.strip()[-200:])
    return program


class Client:
    """One server over standard input and output."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL,
                                        env=ENVIRONMENT, cwd=FOLDER)
        self.id = 0
        self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {},
                                "clientInfo": {"name": "test", "version": "1"}})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def send(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.id += 1
        self.send({"jsonrpc": "2.0", "id": self.id, "method": method, "params": params})
        while True:
            line = self.process.stdout.readline()
            check(line, f"the server ended during {method}")
            answer = json.loads(line)
            if answer.get("id") == self.id:
                return answer

    def call(self, tool, **arguments):
        """(text, whether it is an error)"""
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
        if "error" in answer:
            return answer["error"]["message"], True
        return answer["result"]["content"][0]["text"], answer["result"].get("isError", False)

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)


def git(folder, *arguments, date=1700000000):
    when = {"GIT_AUTHOR_DATE": f"@{date} +0100", "GIT_COMMITTER_DATE": f"@{date} +0100"}
    subprocess.run(["git", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", *arguments], cwd=folder,
                   env={**ENVIRONMENT, **when}, check=True, capture_output=True)


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(text if isinstance(text, bytes) else text.encode())


def make_repository(folder):
    """History, a merge, branches, a tag, a remote; staged, unstaged, untracked, ignored."""
    os.makedirs(folder)
    git(folder, "init", "-q")
    write(folder, "a.txt", "".join(f"line {i}\n" for i in range(1, 31)))
    write(folder, "src/main.c", "#include <stdio.h>\n\nint main(void)\n{\n    puts(\"a\");\n    puts(\"b\");\n    "
                                "puts(\"c\");\n"
                                "    puts(\"d\");\n    return 0;\n}\n")
    write(folder, "caf\u00e9 1.txt", "x\n")
    write(folder, ".gitignore", "*.o\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first\n\nwith a body\n")
    git(folder, "tag", "-a", "v1", "-m", "one")
    git(folder, "branch", "side")
    write(folder, "a.txt", "".join(f"line {i}\n" if i != 15 else "LINE\n" for i in range(1, 31)))
    write(folder, "image.bin", bytes(range(256)))
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "second", date=1700100000)
    git(folder, "mv", "src/main.c", "src/prog.c")
    git(folder, "rm", "-q", "image.bin")
    git(folder, "commit", "-q", "-m", "rename", date=1700200000)
    git(folder, "checkout", "-q", "side")
    write(folder, "side.txt", "no line feed at the end")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "side", date=1700300000)
    git(folder, "checkout", "-q", "main")
    git(folder, "merge", "-q", "--no-ff", "-m", "merge", "side", date=1700400000)
    git(folder, "clone", "-q", "--bare", folder, folder + ".origin")
    git(folder, "remote", "add", "origin", folder + ".origin")
    git(folder, "fetch", "-q", "origin")
    git(folder, "branch", "-q", "--set-upstream-to=origin/main")
    write(folder, "ahead.txt", "1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "ahead", date=1700500000)
    # what is not committed
    write(folder, "a.txt", "".join(f"line {i}\n" if i not in (2, 28) else f"changed {i}\n" for i in range(1, 31)))
    write(folder, "src/prog.c", "#include <stdio.h>\n\nint main(void)\n{\n    puts(\"a\");\n    puts(\"b\");\n    "
                                "puts(\"c\");\n"
                                "    puts(\"D\");\n    return 0;\n}\n")
    git(folder, "add", "src/prog.c")
    git(folder, "mv", "side.txt", "moved.txt")
    os.remove(os.path.join(folder, "ahead.txt"))
    write(folder, "new/one.txt", "1\n")
    write(folder, "new/two.txt", "2\n")
    write(folder, "x.o", "ignored")
    write(folder, "caf\u00e9 2.txt", "y\n")


reference_program = fetch_reference()
for root in ("ours", "theirs"):  # the reference wants its root to be a repository, too
    os.makedirs(os.path.join(FOLDER, root))
    git(os.path.join(FOLDER, root), "init", "-q")
make_repository(os.path.join(FOLDER, "ours", "repo"))
shutil.copytree(os.path.join(FOLDER, "ours", "repo"), os.path.join(FOLDER, "theirs", "repo"), symlinks=True)
ours = Client(PROGRAM, "mcp", "--app", "git", "--data", os.path.join(FOLDER, "data"), "--set", "writes=true", "--set",
              "author_name=Ada Lovelace", "--set", "author_email=ada@example.org", os.path.join(FOLDER, "ours"))
theirs = Client(reference_program, "--repository", os.path.join(FOLDER, "theirs"))
SIDES = ((ours, "ours"), (theirs, "theirs"))


def both(tool, repository="repo", **arguments):
    found = []
    for client, side in SIDES:
        text, is_error = client.call(tool, repo_path=os.path.join(FOLDER, side, repository), **arguments)
        text = re.sub(r"^similarity index \d+%$", "similarity index", text, flags=re.M)  # libgit2 counts otherwise
        found.append((text.replace(os.path.join(FOLDER, side), "ROOT"), is_error))
    return found


def same(tool, **arguments):
    our, their = both(tool, **arguments)
    check_equal(our, their, f"{tool} {arguments}")
    check(not our[1], f"{tool} {arguments} failed: {our[0]}")
    return our[0]


def both_refuse(tool, **arguments):
    our, their = both(tool, **arguments)
    check(our[1] and their[1], f"{tool} {arguments}: ours {our}, theirs {their}")
    return our[0], their[0]


def the_tools_have_the_same_names_and_hints():
    lists = []
    for client, _ in SIDES:
        tools = client.ask("tools/list", {})["result"]["tools"]
        lists.append({tool["name"]: (sorted(tool["inputSchema"]["properties"]), sorted(tool["inputSchema"]["required"]),
                                     {key: value for key, value in tool["annotations"].items() if key != "title"})
                      for tool in tools})
    check_equal(lists[0], lists[1], "tools")


def what_is_read_is_the_same_to_the_letter():
    same("git_status")
    for lines in (0, 1, 3, 10):
        same("git_diff_unstaged", context_lines=lines)
        same("git_diff_staged", context_lines=lines)
    for target in ("HEAD", "main~1", "side", "v1", "origin/main", "HEAD~3"):
        same("git_diff", target=target)
    for kind in ("local", "remote", "all"):
        same("git_branch", branch_type=kind)
        same("git_branch", branch_type=kind, contains="HEAD~1")
        same("git_branch", branch_type=kind, not_contains="HEAD~1")
    same("git_log")
    same("git_log", max_count=2)
    for bounds in ({"start_timestamp": "2023-11-17T00:00:00"}, {"end_timestamp": "2023-11-17 00:00:00"},
                   {"start_timestamp": "2023-11-15T00:00:00Z", "end_timestamp": "2023-11-18T12:00:00+02:00"},
                   {"start_timestamp": "10 years ago"}, {"start_timestamp": "yesterday"}):
        same("git_log", **bounds)
    for revision in ("HEAD", "HEAD~1", "HEAD~2", "main~2", "v1", "side", "HEAD:src", "HEAD:a.txt", "HEAD:", "HEAD~1^2"):
        same("git_show", revision=revision)


def changes_are_the_same():
    same("git_add", files=["a.txt"])
    same("git_status")
    same("git_add", files=["a.txt"])
    same("git_add", files=["new", "ahead.txt"])
    same("git_diff_staged")
    same("git_reset")
    same("git_status")
    same("git_add", files=["."])
    same("git_status")
    our, their = both("git_commit", message="by a tool")
    pattern = r"Changes committed successfully with hash [0-9a-f]{40}"
    check(re.fullmatch(pattern, our[0]) and re.fullmatch(pattern, their[0]), f"{our} {their}")
    same("git_status")
    both_refuse("git_commit", message="nothing")
    same("git_create_branch", branch_name="topic")
    same("git_create_branch", branch_name="old", base_branch="side")
    same("git_checkout", branch_name="old")
    same("git_status")
    same("git_checkout", branch_name="v1")
    same("git_branch", branch_type="local")
    same("git_status")
    same("git_checkout", branch_name="origin/main")
    same("git_status")
    same("git_checkout", branch_name="HEAD~1")
    same("git_branch", branch_type="all")
    same("git_checkout", branch_name="topic")
    for client, side in SIDES:
        shown = subprocess.run(["git", "show", "--format=%an <%ae>%n%s", "-s", "topic"], capture_output=True, text=True,
                               cwd=os.path.join(FOLDER, side, "repo"), env=ENVIRONMENT, check=True).stdout
        check_equal(shown.split("\n")[:2], ["Ada Lovelace <ada@example.org>", "by a tool"], side)
        clean = subprocess.run(["git", "fsck", "--strict"], capture_output=True, text=True,
                               cwd=os.path.join(FOLDER, side, "repo"), env=ENVIRONMENT)
        check_equal(clean.returncode, 0, f"fsck of {side}: {clean.stderr}")


def what_the_reference_refuses_is_refused():
    outside = os.path.join(FOLDER, "elsewhere")
    os.makedirs(outside)
    git(outside, "init", "-q")
    write(FOLDER, "secret.txt", "secret")
    for side in ("ours", "theirs"):
        os.symlink(outside, os.path.join(FOLDER, side, "link"))
        os.symlink(os.path.join(FOLDER, "secret.txt"), os.path.join(FOLDER, side, "repo", "escape"))
        os.symlink(FOLDER, os.path.join(FOLDER, side, "repo", "up"))
        write(os.path.join(FOLDER, side), "empty/file", "")
        # a ref that looks like an option, as only somebody with the files in hand can make it
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=os.path.join(FOLDER, side, "repo"), env=ENVIRONMENT,
                              capture_output=True, text=True, check=True).stdout
        write(os.path.join(FOLDER, side, "repo"), ".git/refs/heads/--output=" + "evil", head)
    option = "--output=evil"
    for tool, arguments in (("git_diff", {"target": option}), ("git_checkout", {"branch_name": option}),
                            ("git_checkout", {"branch_name": "-f"}), ("git_show", {"revision": option}),
                            ("git_create_branch", {"branch_name": option}),
                            ("git_create_branch", {"branch_name": "-d"}),
                            ("git_create_branch", {"branch_name": "x", "base_branch": option}),
                            ("git_branch", {"branch_type": "local", "contains": option}),
                            ("git_branch", {"branch_type": "local", "not_contains": "-x"}),
                            ("git_log", {"start_timestamp": option}), ("git_log", {"end_timestamp": "-1"})):
        our, their = both_refuse(tool, **arguments)
        check("cannot start with '-'" in our and "cannot start with '-'" in their, f"{tool}: {our} / {their}")
        check_equal("Error executing tool " + tool + ": " + our, their, tool)
    for files in (["../secret.txt"], ["../../secret.txt"], ["/etc/passwd"], ["escape"], ["up/secret.txt"],
                  ["a.txt", "../secret.txt"], ["src/../../../secret.txt"]):
        our, their = both_refuse("git_add", files=files)
        check("outside the repository" in our and "outside the repository" in their, f"{files}: {our} / {their}")
    both_refuse("git_add", files=[])
    both_refuse("git_add", files=["missing.txt"])
    for repository in ("../elsewhere", "link", "../ours/../elsewhere", "..", "/", "empty", "missing", "repo/src"):
        our, their = both_refuse("git_status", repository=repository)
        if repository in ("../elsewhere", "link", ".."):
            check("is outside the allowed repository" in our and "is outside the allowed repository" in their, our)
    both_refuse("git_diff", target="no-such-ref")
    both_refuse("git_show", revision="no-such-ref")
    both_refuse("git_checkout", branch_name="no-such-ref")
    both_refuse("git_create_branch", branch_name="topic")
    both_refuse("git_create_branch", branch_name="y", base_branch="no-such-ref")
    both_refuse("git_branch", branch_type="neither")
    for side in ("ours", "theirs"):
        check(not os.path.exists(os.path.join(FOLDER, side, "repo", "evil")), f"{side}: an option was obeyed")
        staged = subprocess.run(["git", "diff", "--cached", "--name-only"], cwd=os.path.join(FOLDER, side, "repo"),
                                env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout
        check_equal(staged, "", f"{side}: staged")


def an_empty_repository_and_a_detached_head_are_told_alike():
    for side in ("ours", "theirs"):
        folder = os.path.join(FOLDER, side, "fresh")
        os.makedirs(folder)
        git(folder, "init", "-q")
    same("git_status", repository="fresh")
    same("git_branch", repository="fresh", branch_type="all")
    both_refuse("git_log", repository="fresh")
    both_refuse("git_commit", repository="fresh", message="x")
    for side in ("ours", "theirs"):
        write(os.path.join(FOLDER, side, "fresh"), "f", "f\n")
    same("git_status", repository="fresh")
    same("git_add", repository="fresh", files=["f"])
    same("git_status", repository="fresh")
    same("git_diff_staged", repository="fresh")
    both("git_commit", repository="fresh", message="root")
    same("git_status", repository="fresh")


try:
    run_tests([the_tools_have_the_same_names_and_hints, what_is_read_is_the_same_to_the_letter, changes_are_the_same,
               what_the_reference_refuses_is_refused, an_empty_repository_and_a_detached_head_are_told_alike])
finally:
    ours.stop()
    theirs.stop()
    shutil.rmtree(FOLDER, ignore_errors=True)
