"""Checks of the sources that need no compiler: width, length, circles, includes, words.

    python3 scripts/lint.py          from the root of the project; prints each mistake, exits 1 if there is one

What a machine can check is not asked of a reviewer. Each check is a function that yields (place, sentence).
"""
import ast
import os
import re
import subprocess
import sys

FUNCTION_LINES_MAX = 80
WIDTH_MAX = 185  # of scripts and tests in Python; clang-format keeps C at 100

# Circles that are one mechanism in several files, with the reason.
KNOWN_CIRCLES = [
    ({"core/loop/call", "core/loop/crash", "core/loop/fiber", "core/loop/worker"},
     "a worker's loop runs fibers, a fiber carries a call, and a crash on the worker names the call"),
    ({"core/plugin/disclosure", "core/plugin/gate", "core/plugin/gate_kinds", "core/plugin/instance"},
     "an instance owns its gate, and the gate runs the instance's operations"),
    ({"core/net/connection", "core/net/http_server"},
     "http_server.h is what others see of the server, connection.h what its own files share"),
    ({"core/net/http_client", "core/net/http_transfer"},
     "http_client.h is what others see of the client, http_transfer.h what its own files share"),
    ({"core/host/edition", "core/host/host", "core/host/steps"},
     "an edition is made of what the host holds, and the host holds editions"),
]
# Words for which there is a plainer one: docs/style.md. In all comments, messages and pages.
WORDS = [
    (r"\banew\b", "again, or once more"),
    (r"\bwhoever\b", "a client that, a caller that: name who it is"),
    (r"\bnot any more\b", "no longer"),
    (r"\bbelongs? into\b", "belongs in"),
    (r"\bhasty\b", "impatient, or say what the deadline was"),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "an issue, or the thing itself"),
]
# And in the sources and in pages for operators and plugin authors.
NOUNS = [
    (r"\bwhose\b", "name the noun: the server that, its"),
    (r"\b(that|those) which\b", "the noun"),
]
# A question in a page may ask "what is"; a comment or a message names the thing.
# Questions for people and why they are asked; sentences of the reference server, to the letter.
OTHER_WORDS = ("plugins/app/questioning/fallback.c", "plugins/app/git/changes.c")
SOURCE_WORDS = [
    (r"\bwhat\s+(\*\s+|//\s+)?(is|are|was|were)\b(?![^.;]*\?)", "name the noun: the rest, the fault, the queued bytes"),
]


def files(*endings):
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True, check=True)
    return [path for path in listed.stdout.split("\0") if path.endswith(endings) and os.path.isfile(path)]


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def long_functions():
    for path in files(".c", ".h"):
        start = None
        for number, line in enumerate(text_of(path).split("\n"), 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                if number - start > FUNCTION_LINES_MAX:
                    yield f"{path}:{start}", f"the function has {number - start} lines, {FUNCTION_LINES_MAX} at most"
                start = None


def wide_lines():
    for path in files(".py", ".sh"):
        for number, line in enumerate(text_of(path).split("\n"), 1):
            if len(line) > WIDTH_MAX and not line.lstrip().startswith(("|", "http", "<", "- [")) and "http" not in line:
                yield f"{path}:{number}", f"the line has {len(line)} columns, {WIDTH_MAX} at most"


def included(path, name):
    for root in ("core", os.path.dirname(path), "plugins/shared/clients", "plugins/shared/text", "plugins/shared/stores"):
        found = os.path.normpath(os.path.join(root, name))
        if os.path.isfile(found):
            return found
    return None


def includes():
    """path -> {included path: line}"""
    found = {}
    for path in files(".c", ".h"):
        if path.startswith(("core/", "plugins/", "sdk/testhost/", "sdk/conform/")):
            found[path] = {}
            for number, line in enumerate(text_of(path).split("\n"), 1):
                match = re.match(r'#include "([^"]+)"', line)
                target = match and included(path, match.group(1))
                if target:
                    found[path][target] = number
    return found


def module_of(path):
    """a.c and a.h are one."""
    return re.sub(r"\.[ch]$", "", path)


def components(edges):
    """Strongly connected components of more than one (Tarjan)."""
    index, low, stack, result = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            part = set()
            while node not in part:
                part.add(stack.pop())
            if len(part) > 1:
                result.append(part)
    sys.setrecursionlimit(10000)
    for node in sorted(edges):
        if node not in index:
            visit(node)
    return result


def circles():
    users, edges = {}, {}
    by_file = includes()
    for path, targets in by_file.items():
        folder, name = os.path.split(path)
        if name == os.path.basename(folder) + ".c":
            continue  # the file that bears its folder's name puts the others together
        for target in targets:
            users.setdefault(target, set()).add(path)
            edges.setdefault(module_of(path), set()).add(module_of(target))
    for part in components({node: {t for t in targets if t != node} for node, targets in edges.items()}):
        stem = min((os.path.basename(name) for name in part), key=len)
        is_private = all(os.path.basename(name).startswith(stem) for name in part)
        pair = sorted(part)
        is_private |= len(part) == 2 and any(
            len([u for u in users.get(name + ".h", ()) if module_of(u) not in part]) == 0 or not os.path.exists(name + ".c")
            for name in pair)
        if not is_private and not any(part <= known for known, _ in KNOWN_CIRCLES):
            yield pair[0], "a circle of includes: " + ", ".join(pair) + "; undo it, or say in scripts/lint.py why it is one thing"
    for known, _ in KNOWN_CIRCLES:
        if not any(known <= part for part in components(edges)):
            yield "scripts/lint.py", "this circle is gone, take it out: " + ", ".join(sorted(known))


def names_of(header):
    """Every identifier of a header."""
    return set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", re.sub(r"/\*.*?\*/|//[^\n]*", "", text_of(header), flags=re.S)))


def unused_includes():
    """An include from which the file takes no name."""
    plain = set("if else for while return const struct enum union static inline void int char bool size_t int64_t uint32_t "
                "uint64_t uint8_t int32_t double sizeof typedef unsigned signed long short include define ifndef endif bp_call "
                "bp_str bp_status call arg name size len data status text count id kind type value path".split())
    cache = {}
    for path, targets in includes().items():
        if path.endswith(".h"):
            continue  # a header may hand on another one
        own = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", re.sub(r'/\*.*?\*/|//[^\n]*|#include[^\n]*', "", text_of(path), flags=re.S)))
        stem = os.path.basename(module_of(path))
        for target, number in targets.items():
            if target not in cache:
                cache[target] = names_of(target)
            is_own = os.path.basename(module_of(target)) == stem
            has_more = "#include" in text_of(target)
            if not is_own and not (cache[target] & own - plain) and not has_more:
                yield f"{path}:{number}", f"nothing of {target} is used here"


def comments_and_messages(path):
    """(line, text) of what people read of a file."""
    text = text_of(path)
    if path.endswith((".c", ".h")):
        pattern = r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"'
        for match in re.finditer(pattern, text, flags=re.S):
            yield text.count("\n", 0, match.start()) + 1, match.group(0)
    else:
        for number, line in enumerate(text.split("\n"), 1):
            yield number, line


def words():
    pages = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")
    for path in files(".c", ".h", ".md", ".sh"):
        if path in ("docs/style.md",) or path.startswith(("tests/", "bench/")):
            continue
        is_source = path.endswith((".c", ".h"))
        is_page = path.startswith(("docs/", "sdk/ABI.md")) or path in pages
        known = WORDS + (NOUNS if is_page or is_source else []) + (SOURCE_WORDS if is_source and path not in OTHER_WORDS else [])
        for number, text in comments_and_messages(path):
            for pattern, instead in known:
                for match in re.finditer(pattern, text, flags=re.I if pattern.islower() else 0):
                    line = number + text.count("\n", 0, match.start())
                    yield f"{path}:{line}", f'"{match.group(0)}": {instead}'


def other_reasons():
    """A function of core says why it failed by a `struct reason` (core/base/reason.h)."""
    pattern = r"char \*?(why|problem|reason|error|sentence)\[[^\]]*\](?=[,)])|char \*(error|problem|why),\s+size_t"
    for path in files(".c", ".h"):
        if not path.startswith(("core/", "sdk/testhost/")):
            continue
        text = text_of(path)
        for match in re.finditer(pattern, text):
            yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}", f'"{match.group(0)}": take a struct reason'


def places_of_this_machine():
    here = os.getcwd()
    for path in files(".c", ".h", ".md", ".sh", ".py", ".yaml", ".txt", ".cmake"):
        for number, line in enumerate(text_of(path).split("\n"), 1):
            if here in line:
                yield f"{path}:{number}", "the path of this checkout"


def scripts_parse():
    for path in files(".sh"):
        told = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
        if told.returncode:
            yield path, told.stderr.strip()
    for path in files(".py"):
        try:
            ast.parse(text_of(path), path)
        except SyntaxError as error:
            yield f"{path}:{error.lineno}", error.msg


def main():
    count = 0
    for check in (long_functions, wide_lines, circles, unused_includes, words, other_reasons, places_of_this_machine, scripts_parse):
        for place, sentence in check():
            print(f"{place}: {sentence}")
            count += 1
    print(f"{count} mistakes")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
