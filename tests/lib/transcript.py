"""transcript.py - commands and all that they say, word for word, in a file that a reader can follow.

A file NAME.said beside a test holds, one below the other:

    # what the reader should know
    $ printf 'app: {' >bad.yaml; backplane check -c bad.yaml
      what stands on standard output
    ! what stands on standard error
    = 78

Lines of a command that begin with `> ` go on with it; `= 0` is left out; an empty line is shown as a dot or its mark alone,
and a backslash stands where no line ends. The commands are run by sh, in order, in one folder of their own. What differs from
one run to the next is replaced by a name: `$F` is that folder. BP_WRITE_SAID=1 writes the file again with the new output:
read the difference before you commit it.
"""
import difflib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

from backplane_test import PLUGINS, PROGRAM, check

FOLDER_CHARS = 72
NOISE = re.compile(r"==\d+==WARNING: ASan doesn't .*\n")  # of a sanitizer: fibers have stacks of their own


def read(path):
    """[comment lines and blank ones, the command's lines, what was said]"""
    blocks, before, said = [], [], []
    with open(path, encoding="utf-8") as file:
        for line in file.read().split("\n")[:-1]:
            if line.startswith("$ "):
                blocks.append((before, [line[2:]], said := []))
                before = []
            elif line.startswith("> ") and blocks and not before and not said:
                blocks[-1][1].append(line[2:])
            elif not line or line.startswith("#"):
                before.append(line)
            else:
                said.append(line)
    return blocks, before


def shown(text, prefix):
    """Its lines, each behind the prefix; control characters are to be seen."""
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: f"\\x{ord(found.group()):02x}", text)
    lines = [prefix + line if line else prefix.strip() or "." for line in text.split("\n")]
    return lines[:-1] if text.endswith("\n") or not text else lines + ["\\"]


def make_folder(parent=None):
    """A new folder to be removed, and one within it whose path has a length that is always the same, as columns tell it."""
    outer = os.path.realpath(tempfile.mkdtemp(prefix="backplane-test-", dir=parent))
    inner = outer + "/" + "f" * max(1, FOLDER_CHARS - len(outer) - 1)
    os.mkdir(inner)
    return outer, inner


class Stage:
    """The folder where commands run, and the words that stand for what differs."""

    def __init__(self, *replaced, parent=None, **environment):
        self.outer, self.folder = make_folder(parent)
        self.replaced = [(re.escape(self.folder), "$F"), (re.escape(os.path.realpath(PLUGINS)), "$PLUGINS"),
                         (re.escape(os.path.dirname(os.path.dirname(os.path.realpath(PROGRAM)))), "$PREFIX"), *replaced]
        os.mkdir(self.outer + "/bin")
        os.symlink(os.path.abspath(PROGRAM), self.outer + "/bin/backplane")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BACKPLANE", "XDG_", "LC_", "LANG"))}
        self.environment = dict(kept, LC_ALL="C.UTF-8", F=self.folder, HOME=self.folder, BACKPLANE_PLUGINS=os.path.realpath(PLUGINS),
                                PATH=f"{self.outer}/bin:{os.environ['PATH']}", **environment)

    def close(self):
        shutil.rmtree(self.outer, ignore_errors=True)

    def plain(self, text):
        text = NOISE.sub("", text.decode("utf-8", "backslashreplace"))
        for pattern, word in self.replaced:
            text = re.sub(pattern, word, text)
        return text

    def said(self, command, seconds=60):
        """What a command says, as the lines of a transcript."""
        process = subprocess.Popen(["/bin/sh", "-c", command], cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            out, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # also what it has started
            raise AssertionError(f"{command}\ndoes not end within {seconds} s: {process.communicate()}")
        lines = shown(self.plain(out), "  ") + shown(self.plain(errors), "! ")
        return lines + ([f"= {process.returncode}"] if process.returncode else [])


def compare(path, found):
    """The lines of a whole file; a difference ends the test."""
    if os.environ.get("BP_WRITE_SAID") == "1":
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(found) + "\n")
    with open(path, encoding="utf-8") as file:
        wanted = file.read().split("\n")[:-1]
    difference = list(difflib.unified_diff(wanted, found, "wanted: " + os.path.basename(path), "found", lineterm="", n=4))
    check(not difference, "another thing is said:\n" + "\n".join(difference))


def play(stage, path):
    """Runs every command of the file, and compares all that they say."""
    blocks, rest = read(path)
    check(blocks, f"{path} holds no command")
    found = []
    for before, command, _ in blocks:
        found += before + ["$ " + command[0]] + ["> " + line for line in command[1:]]
        found += stage.said("\n".join(command))
    compare(path, found + rest)


def play_beside(test_file, *replaced, **environment):
    """For a test that is its transcript alone: plays the file beside it, and ends the process."""
    stage = Stage(*replaced, **environment)
    try:
        play(stage, os.path.splitext(test_file)[0] + ".said")
    except AssertionError as problem:
        sys.exit(f"FAILED: {problem}")
    finally:
        stage.close()
    print("ok")
