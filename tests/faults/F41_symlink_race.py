"""F41_symlink_race.py - links and directories change places (renameat2 EXCHANGE) while files are read, written, listed, moved and
edited by their names: not once does anything get out of the root or into what lies beside it.

Landlock is off, so that the first wall stands alone. The same race is run against a program that looks first and opens
then, to show that it can be lost. Three servers do it at once.
"""
import ctypes
import multiprocessing
import os
import shutil
import tempfile
import threading
import time

from backplane_test import IS_LONG, check, check_equal, run_fault
from filesystem_test import Served

SECONDS = 60 if IS_LONG else 10
INSIDE, SECRET = "inside\n", "a secret that lies outside\n"
RENAME_EXCHANGE, AT_FDCWD = 2, -100


def put(path, text):
    with open(path, "w") as file:
        file.write(text)


def fill(folder):
    """DIR and LINK change places, so do FILE and FILELINK."""
    root, outside = os.path.join(folder, "root"), os.path.join(folder, "outside")
    for made in (root, outside, os.path.join(root, "dir"), os.path.join(root, "calm")):
        os.mkdir(made)
    put(os.path.join(root, "dir", "file.txt"), INSIDE)
    put(os.path.join(root, "file"), INSIDE)
    put(os.path.join(outside, "file.txt"), SECRET)
    put(os.path.join(outside, "only-outside"), SECRET)
    os.symlink(outside, os.path.join(root, "link"))
    os.symlink(os.path.join(outside, "file.txt"), os.path.join(root, "filelink"))
    return root, outside


def swap(root, is_over, swaps):
    """A process of its own: changes both pairs until it is over."""
    libc = ctypes.CDLL(None, use_errno=True)
    pairs = [[os.path.join(root, name).encode() for name in pair] for pair in (("dir", "link"), ("file", "filelink"))]
    count = 0
    while not is_over.value:
        # A write that comes in between replaces the link by a file, as it should: the race goes on with a new link.
        if not any(os.path.islink(path) for path in pairs[1]):
            folder = os.path.dirname(root)
            os.symlink(os.path.join(folder, "outside", "file.txt"), os.path.join(folder, "fresh"))
            os.rename(os.path.join(folder, "fresh"), pairs[1][1])
        for _ in range(500):
            for one, other in pairs:
                count += libc.renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) == 0
    swaps.value = count


class Race:
    def __init__(self, root, outside):
        self.root, self.outside, self.end = root, outside, time.monotonic() + SECONDS
        self.escapes, self.done, self.refused = [], 0, 0
        self.lock = threading.Lock()

    def count(self, answer, is_done):
        with self.lock:
            self.done += is_done
            self.refused += not is_done
            if "secret" in answer or "only-outside" in answer:
                self.escapes.append(answer[:200])

    def by_tools(self, number):
        calls = [("create_directory", {"path": "dir/made/deep"}), ("edit_file", {"path": "dir/file.txt", "edits": [{"oldText": "inside", "newText": "inside"}]}),
                 ("move_file", {"source": "dir/file.txt", "destination": "calm/file.txt"}), ("move_file", {"source": "calm/file.txt", "destination": "dir/file.txt"}),
                 ("read_multiple_files", {"paths": ["dir/file.txt", "file", "link/file.txt", "filelink"]}), ("directory_tree", {"path": "."}),
                 ("get_file_info", {"path": "dir/only-outside"}), ("read_media_file", {"path": "dir/file.txt"}), ("edit_file", {"path": "file", "edits": []}),
                 ("move_file", {"source": "dir/only-outside", "destination": "calm/stolen"}), ("list_directory_with_sizes", {"path": "dir"}),
                 ("write_file", {"path": "calm/file.txt", "content": INSIDE}),
                 ("write_file", {"path": "dir/file.txt", "content": INSIDE}), ("write_file", {"path": "dir/new", "content": INSIDE}),
                 ("write_file", {"path": "filelink", "content": INSIDE}), ("write_file", {"path": "link/file.txt", "content": INSIDE}),
                 ("read_text_file", {"path": "dir/file.txt"}), ("read_text_file", {"path": os.path.join(self.root, "link", "file.txt")}),
                 ("read_text_file", {"path": "file", "head": 1}), ("read_text_file", {"path": "filelink", "tail": 2}), ("search_files", {"path": ".", "pattern": "**/*"})]
        with Served(os.path.join(os.path.dirname(self.root), f"data-{number}"), self.root, landlock="off") as ours:
            while time.monotonic() < self.end:
                tool, arguments = calls[number % len(calls)]
                answer = ours.call(tool, **arguments)
                text = answer["content"][0].get("text", "")
                # A refusal may name what was asked for, and where a link leads; a result may not.
                self.count(text if "isError" not in answer and "Error - " not in text else text.replace("only-outside", ""), "isError" not in answer)
                if tool == "get_file_info" and "isError" not in answer:
                    self.escapes.append("get_file_info told of a file outside")
                number += 1


def naively(root):
    """Looks first, opens then."""
    lost = 0
    for _ in range(20000):
        path = os.path.join(root, "file")
        try:
            if os.path.realpath(path).startswith(root + "/"):
                with open(path) as file:
                    lost += file.read() == SECRET
        except OSError:
            pass
    return lost


def fault(numbers):
    folder = os.path.realpath(tempfile.mkdtemp(prefix="backplane-test-"))
    root, outside = fill(folder)
    is_over, swaps = multiprocessing.Value("b", 0), multiprocessing.Value("q", 0)
    swapper = multiprocessing.Process(target=swap, args=(root, is_over, swaps))
    before = {name: os.stat(os.path.join(outside, name)).st_ino for name in os.listdir(outside)}
    try:
        swapper.start()
        numbers["naive_escapes_of_20000"] = naively(root)
        race = Race(root, outside)
        threads = [threading.Thread(target=race.by_tools, args=(7 * index,)) for index in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        is_over.value = 1
        if swapper.pid:
            swapper.join()
    after = {name: os.stat(os.path.join(outside, name)).st_ino for name in os.listdir(outside)}
    texts = []
    for name in sorted(after):
        with open(os.path.join(outside, name)) as file:
            texts.append(file.read())
    numbers.update(seconds=SECONDS, swaps=swaps.value, done=race.done, refused=race.refused, escapes=len(race.escapes))
    shutil.rmtree(folder)
    check(not race.escapes, f"something got out: {race.escapes[:3]}")
    check_equal(after, before, "the files outside")
    check_equal(texts, [SECRET, SECRET], "what is in them")
    check(swaps.value > 10000 * SECONDS / 10 and race.done > 100 and race.refused > 10, "the race was not run")
    check(numbers["naive_escapes_of_20000"] > 0, "the race cannot be lost as it is run here, so it proves nothing")


run_fault("F41", fault)
