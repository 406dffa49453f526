"""test_filesystem_reference.py - the app filesystem beside the reference server of MCP: same calls, same files, same answers.

Where ours differs on purpose, the case is among `differences`, each with its reason.
"""
import contextlib
import json
import os
import re
import shutil
import tempfile

from backplane_test import check, check_equal, run_tests
from filesystem_test import Reference, Served


def fill(folder):
    for name in ("src/deep/er", "src/.hidden", "empty", "docs"):
        os.makedirs(os.path.join(folder, name))
    files = {
        "a.txt": "one\ntwo\nthree\n", "b.txt": "no newline at the end", "crlf.txt": "one\r\ntwo\r\nthree\r\n", "empty.txt": "",
        "Big.bin.txt": "x" * 1152, "mega.txt": "y" * 1500000, "日本 ümläut €.txt": "ä\n€\n𐍈\n", "with space.md": "# Title\n",
        "src/main.c": "int main(void)\n{\n    if (1) {\n        return 0;\n    }\n}\n", "src/main.h": "#pragma once\n",
        "src/deep/er/x.c": "x\n", "src/deep/y.test.c": "y\n", "src/.hidden/z.c": "z\n", "docs/fence.md": "```c\ncode\n```\n", "docs/twice.md": "  if a:\n    b\n  if a:\n    b\n",
        "lines.txt": "".join(f"line {i}\n" for i in range(1, 201)), "picture.png": "no real picture", "sound.mp3": "x", "B.txt": "",
        "data.bin": "bytes", "noext": "bytes", "_under": "", "1digit": "", "z" * 40: "a long name",
    }
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", newline="") as file:
            file.write(text)


@contextlib.contextmanager
def both():
    """Two copies of the same files, each with a server."""
    folder = tempfile.mkdtemp(prefix="backplane-test-")
    roots = [os.path.join(folder, name) for name in ("ours", "reference")]
    try:
        for root in roots:
            os.mkdir(root)
            fill(root)
        with Served(folder, roots[0]) as ours, Reference(roots[1]) as reference:
            yield (ours, roots[0]), (reference, roots[1])
    finally:
        shutil.rmtree(folder)


def told(side, tool, arguments):
    """What a server answers, with its root written as ROOT."""
    server, root = side
    sent = json.loads(json.dumps(arguments).replace("ROOT", root))
    answer = json.loads(json.dumps(server.call(tool, **sent)).replace(root, "ROOT"))
    answer.pop("status", None)
    return answer


def compare(sides, cases):
    wrong = []
    for tool, arguments in cases:
        ours, reference = (told(side, tool, arguments) for side in sides)
        if ours != reference:
            wrong.append(f"{tool} {json.dumps(arguments)}\n  ours      {json.dumps(ours)[:700]}\n  reference {json.dumps(reference)[:700]}")
    check(not wrong, f"{len(wrong)} of {len(cases)} answers differ\n" + "\n".join(wrong))


def texts_and_their_parts_are_the_same():
    files = ["a.txt", "ROOT/b.txt", "crlf.txt", "empty.txt", "./日本 ümläut €.txt", "src/../a.txt", "lines.txt", "ROOT//a.txt", "ROOT/src/./main.c"]
    cases = [("read_text_file", {"path": path}) for path in files]
    cases += [("read_file", {"path": "a.txt"}), ("read_multiple_files", {"paths": files}),
              ("read_multiple_files", {"paths": ["a.txt", "nope", "/etc/passwd", "src"]})]
    for path in files:
        for part in ("head", "tail"):
            cases += [("read_text_file", {"path": path, part: lines}) for lines in (0, 1, 2, 3, 4, 150, 1000)]
    cases += [("read_media_file", {"path": path}) for path in ("picture.png", "sound.mp3", "data.bin", "noext", "日本 ümläut €.txt", "empty.txt")]
    with both() as sides:
        compare(sides, cases)


def refusals_say_the_same():
    with both() as sides:
        compare(sides, [
            ("read_text_file", {"path": "nope"}), ("read_text_file", {"path": "src/nope/x"}), ("read_text_file", {"path": "src"}),
            ("read_text_file", {"path": "/etc/passwd"}), ("read_text_file", {"path": "../x"}), ("read_text_file", {"path": "ROOT-evil/x"}),
            ("read_text_file", {"path": "src/../../x"}), ("read_text_file", {"path": "/"}), ("read_text_file", {"path": ""}),
            ("read_text_file", {"path": "a.txt", "head": 1, "tail": 1}), ("read_media_file", {"path": "nope"}),
            ("write_file", {"path": "no/such/x", "content": ""}), ("write_file", {"path": "/etc/x", "content": ""}),
            ("list_directory", {"path": "nope"}), ("list_directory", {"path": "a.txt"}), ("directory_tree", {"path": "a.txt"}),
            ("search_files", {"path": "a.txt", "pattern": "*"}), ("search_files", {"path": "../..", "pattern": "*"}),
            ("create_directory", {"path": "a.txt"}), ("create_directory", {"path": "/etc/x"}),
            ("move_file", {"source": "nope", "destination": "x"}), ("move_file", {"source": "a.txt", "destination": "b.txt"}),
            ("move_file", {"source": "a.txt", "destination": "src"}), ("move_file", {"source": "a.txt", "destination": "/etc/x"}),
            ("edit_file", {"path": "a.txt", "edits": [{"oldText": "four", "newText": "x"}]}), ("get_file_info", {"path": "/etc"}),
        ])


def lists_and_trees_are_the_same():
    with both() as sides:
        compare(sides, [("list_allowed_directories", {})] +
                [(tool, {"path": path}) for tool in ("list_directory", "list_directory_with_sizes", "directory_tree")
                 for path in (".", "ROOT", "src", "empty", "src/deep/")] +
                [("list_directory_with_sizes", {"path": ".", "sortBy": by}) for by in ("name", "size")] +
                [("directory_tree", {"path": ".", "excludePatterns": patterns}) for patterns in
                 (["src"], ["*.txt"], ["**/*.c"], ["deep"], ["main.c", "docs"], ["src/deep"], ["src/**"], ["er", ".hidden"], ["*"])])


PATTERNS = ["*", "**", "*.txt", "**/*.txt", "**/*.c", "*.c", "src/*", "src/**", "src/**/*.c", "**/deep/**", "**/deep", "src/*.{c,h}",
            "**/{main,x}.*", "{src,docs}/**", "?.txt", "[ab].txt", "[!a].txt", "[^a-b].txt", "**/*.test.c", "a.txt", "nope", "**/.hidden/*",
            "**/.*", "src", "src/", "*/", "**/*", "*/*", "*/*/*", "**/**/x.c", "src/**/**", "{a,b}.txt", "{a.txt,src/{main.c,deep/*}}", "!*.txt",
            "*ü*", "?本*", "[一-龠]*", "\\a.txt", "*.TXT", "z*z", "*z*z*z*", "", "[a", "{a.txt", "a.txt}", "**.txt", "a**", "s*/**/*r/*", "**/er/**/*.c"]


def searches_find_the_same():
    with both() as sides:
        compare(sides, [("search_files", {"path": path, "pattern": pattern}) for pattern in PATTERNS for path in (".", "ROOT/src")] +
                [("search_files", {"path": ".", "pattern": "**/*", "excludePatterns": [pattern]}) for pattern in PATTERNS])


EDITS = [
    ("a.txt", [("two", "TWO")]), ("a.txt", [("one\ntwo", "1\n2\n3")]), ("a.txt", [("one", "one")]), ("a.txt", []), ("a.txt", [("three\n", "three")]),
    ("a.txt", [("one\n", "")]), ("a.txt", [("three\n", "three\nfour\nfive\n")]), ("a.txt", [("one", "x"), ("x", "y"), ("three", "z")]),
    ("a.txt", [("  one  \n\ttwo", "1\n2")]), ("a.txt", [("one\ntwo\nthree\n", "")]),
    ("b.txt", [("the end", "its end")]), ("b.txt", [("end", "end\n")]), ("docs/fence.md", [("code", "more code")]),
    ("docs/fence.md", [("code", "````\ninner\n````")]), 
    ("src/main.c", [("    return 0;", "    return 2;")]),
    ("src/main.c", [("\treturn 0;", "\treturn 3;")]), ("lines.txt", [("line 5\n", "line five\n"), ("line 12\n", "line twelve\n")]),
    ("lines.txt", [("line 5\n", "line five\n"), ("line 14\n", "line fourteen\n")]), ("lines.txt", [("line 5\n", "line five\n"), ("line 15\n", "line fifteen\n")]),
    ("lines.txt", [("line 1\n", ""), ("line 200\n", "")]), ("lines.txt", [("line 100\nline 101\nline 102\n", "line 102\nline 100\nline 101\n")]),
    ("lines.txt", [("line 50\n", "line 50\nline 50\nline 51\n")]), ("lines.txt", [(f"line {i}\n", f"LINE {i}\n") for i in range(10, 200, 7)]),
    ("lines.txt", [("".join(f"line {i}\n" for i in range(50, 60)), "".join(f"line {i}\n" for i in range(59, 49, -1)))]),
    ("日本 ümläut €.txt", [("€", "$&$1$$")]), ("crlf.txt", [("two", "2")]), ("crlf.txt", [("one\r\ntwo", "1\r\n2")]),
]


# Where the reference's answer is a bug, ours is decided otherwise, and docs/apps/filesystem.md says so: name, path, edits, and the text
# that is there afterwards, or what the refusal says.
DECIDED = [
    ("an empty text is nowhere", "a.txt", [("", "zero\n")], ("oldText of edit 1 is empty",)),
    ("an empty text is not in an empty file", "empty.txt", [("", "new\n")], ("oldText of edit 1 is empty",)),
    ("a text at two places", "a.txt", [("o", "0")], ("2 times, in lines 1 and 2",)),
    ("lines at two places", "docs/twice.md", [("if a:\n b", "c")], ("2 times, in lines 1 and 3",)),
    ("a block without its indentation", "src/main.c", [("if (1) {\nreturn 0;\n}", "if (2) {\nreturn 1;\n}")],
     "int main(void)\n{\n    if (2) {\n        return 1;\n    }\n}\n"),
    ("a block less indented", "src/main.c", [("if (1) {\n    return 0;\n}", "while (1) {\n    return 1;\n        again();\n}")],
     "int main(void)\n{\n    while (1) {\n        return 1;\n            again();\n    }\n}\n"),
    ("a block indented otherwise", "src/main.c", [("int main(void)\n{\n  if (1) {", "int main(int argc)\n{\n  if (argc) {")],
     "int main(int argc)\n{\n    if (argc) {\n        return 0;\n    }\n}\n"),
]


def told_edit(side, path, edits, dry_run):
    """What a server answers, and the file behind it; then the file is as before."""
    kept, whole = os.path.join(side[1], "kept"), os.path.join(side[1], path)
    shutil.copy(whole, kept)
    answer = told(side, "edit_file", {"path": path, "edits": [{"oldText": old, "newText": new} for old, new in edits], "dryRun": dry_run})
    with open(whole, newline="") as file:
        text = file.read()
    shutil.copy(kept, whole)
    return answer, text


def edits_and_their_diffs_are_the_same():
    with both() as sides:
        for path, edits in EDITS:
            for dry_run in (True, False):
                (ours, our_text), (reference, their_text) = (told_edit(side, path, edits, dry_run) for side in sides)
                check_equal(json.dumps(ours), json.dumps(reference), f"edits {edits} of {path}")
                if path != "crlf.txt":  # ours keeps CR LF, see differences
                    check_equal(our_text, their_text, f"{path} after the edits {edits}")


def edits_that_we_decide_otherwise():
    with both() as sides:
        for name, path, edits, wanted in DECIDED:
            with open(os.path.join(sides[0][1], path), newline="") as file:
                before = file.read()
            (ours, our_text), (reference, their_text) = (told_edit(side, path, edits, False) for side in sides)
            check(not reference.get("isError"), f"{name}: the reference does it")
            check(our_text != their_text, f"{name}: the reference leaves {their_text!r}")
            if isinstance(wanted, str):
                check_equal(our_text, wanted, name)
            else:
                check(ours["isError"] and wanted[0] in ours["content"][0]["text"], f"{name}: {ours}")
                check_equal(our_text, before, f"{name}: the file")


def writing_and_moving_are_the_same():
    with both() as sides:
        compare(sides, [
            ("write_file", {"path": "new.txt", "content": "ä\n"}), ("write_file", {"path": "ROOT/a.txt", "content": "replaced"}),
            ("read_text_file", {"path": "new.txt"}), ("read_text_file", {"path": "a.txt"}), ("create_directory", {"path": "x/y/z"}),
            ("create_directory", {"path": "x/y"}), ("create_directory", {"path": "."}), ("move_file", {"source": "new.txt", "destination": "x/y/n.txt"}),
            ("move_file", {"source": "x/y", "destination": "ROOT/moved"}), ("directory_tree", {"path": "."}), ("write_file", {"path": "e", "content": ""}),
            ("list_directory_with_sizes", {"path": "."}),
        ])
        modes = []
        for side in sides:
            os.chmod(os.path.join(side[1], "b.txt"), 0o640)
            told(side, "write_file", {"path": "b.txt", "content": "x"})
            modes.append(os.stat(os.path.join(side[1], "b.txt")).st_mode)
        check_equal(modes[0], modes[1], "mode of a replaced file")


def facts_about_a_file_have_the_same_form():
    with both() as sides:
        for path in ("a.txt", "src", "mega.txt"):
            texts = [told(side, "get_file_info", {"path": path})["content"][0]["text"] for side in sides]
            ours, reference = (re.sub(r"(Sun|Mon|Tue|Wed|Thu|Fri|Sat) [A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d GMT[+-]\d{4} \([^)]*\)", "TIME", text) for text in texts)
            check_equal(ours, reference, f"facts about {path}")


def differences_are_the_ones_we_mean():
    with both() as sides:
        ours, reference = sides
        for _, root in sides:
            with open(os.path.join(root, "latin1.txt"), "wb") as file:
                file.write(b"caf\xe9")
            os.mkdir(os.path.join(root, ".git"))
            os.symlink("a.txt", os.path.join(root, "link"))
        # Not UTF-8: the reference gives other text than is there; ours says so.
        check("\ufffd" in told(reference, "read_text_file", {"path": "latin1.txt"})["content"][0]["text"], "the reference replaces bytes")
        check("read_media_file" in told(ours, "read_text_file", {"path": "latin1.txt"})["content"][0]["text"], "ours points to read_media_file")
        # A pattern that begins with "./" finds nothing there.
        check_equal(told(reference, "search_files", {"path": ".", "pattern": "./a.txt"})["content"][0]["text"], "No matches found", "./")
        check_equal(told(ours, "search_files", {"path": ".", "pattern": "./a.txt"})["content"][0]["text"], "ROOT/a.txt", "./")
        # Names on the list `deny`.
        check("[DIR] .git" in told(reference, "list_directory", {"path": "."})["content"][0]["text"], "the reference lists .git")
        check(".git" not in told(ours, "list_directory", {"path": "."})["content"][0]["text"], "ours does not")
        # An edit keeps CR LF.
        for side in sides:
            told(side, "edit_file", {"path": "crlf.txt", "edits": [{"oldText": "two", "newText": "2"}]})
        with open(os.path.join(ours[1], "crlf.txt"), "rb") as file:
            check_equal(file.read(), b"one\r\n2\r\nthree\r\n", "CR LF after an edit by ours")
        with open(os.path.join(reference[1], "crlf.txt"), "rb") as file:
            check_equal(file.read(), b"one\n2\nthree\n", "CR LF after an edit by the reference")
        # A moved link is moved itself; the reference moves what it leads to and leaves the link dangling.
        for side in sides:
            told(side, "move_file", {"source": "link", "destination": "moved"})
        check(os.path.islink(os.path.join(ours[1], "moved")) and os.path.exists(os.path.join(ours[1], "a.txt")), "ours moves the link")
        check(not os.path.exists(os.path.join(reference[1], "a.txt")), "the reference moves the file")


def shape(schema):
    """What a schema demands, without its words."""
    if isinstance(schema, dict):
        return {key: shape(value) for key, value in schema.items() if key not in ("description", "$schema", "title") or isinstance(value, dict)}
    return [shape(item) for item in schema] if isinstance(schema, list) else schema


HINTS = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False, "openWorldHint": True}  # where none is given


def tools_take_and_give_the_same():
    with both() as ((ours, _), (reference, _)):
        mine, theirs = ({tool["name"]: tool for tool in tools} for tools in (server.ask("tools/list")["tools"] for server in (ours, reference)))
        check_equal(list(mine), list(theirs), "names of the tools")
        for name, tool in theirs.items():
            check_equal(mine[name]["title"], tool["title"], f"title of {name}")
            for part in ("inputSchema", "outputSchema"):
                wanted = {"required": [], **shape(tool[part])}
                check_equal({"required": [], **shape(mine[name][part])}, wanted, f"{part} of {name}")
            for hint, value in tool["annotations"].items():
                check_equal(mine[name]["annotations"].get(hint, HINTS[hint]), value, f"{hint} of {name}")


def read_only_offers_no_writing():
    with tempfile.TemporaryDirectory(prefix="backplane-test-") as folder, Served(folder, folder, read_only="true") as ours:
        tools = ours.ask("tools/list")["tools"]
        check_equal({tool["annotations"]["readOnlyHint"] for tool in tools}, {True}, "tools of a read-only instance")
        check_equal(len(tools), 10, "how many these are")


run_tests([tools_take_and_give_the_same, read_only_offers_no_writing, texts_and_their_parts_are_the_same, refusals_say_the_same, lists_and_trees_are_the_same, searches_find_the_same,
           edits_and_their_diffs_are_the_same, edits_that_we_decide_otherwise, writing_and_moving_are_the_same, facts_about_a_file_have_the_same_form,
           differences_are_the_ones_we_mean])
