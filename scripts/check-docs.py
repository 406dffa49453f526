"""Checks the pages: every relative link leads to a file and a heading that exist, and no line is a placeholder.

    python3 scripts/check-docs.py          from the root of the project; prints each mistake, exits 1 if there is one
"""
import os
import re
import sys

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def anchors(path):
    found = set()
    fenced = False
    for line in open(path, encoding="utf-8"):
        if line.startswith("```"):
            fenced = not fenced
        match = re.match(r"#{1,6} +(.*?) *#*$", line)
        if match and not fenced:
            words = re.sub(r"[`*_]", "", match.group(1)).lower()
            found.add(re.sub(r"[^a-z0-9 -]", "", words).replace(" ", "-"))
    return found


def pages():
    for root, folders, files in os.walk("."):
        folders[:] = [f for f in folders if not f.startswith((".", "build")) and f not in ("data", "node_modules")]
        for name in files:
            if name.endswith(".md"):
                yield os.path.join(root, name)


def main():
    mistakes = 0
    for page in sorted(pages()):
        text = re.sub(r"```.*?```", "", open(page, encoding="utf-8").read(), flags=re.S)
        for target in LINK.findall(text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            full = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if not os.path.exists(full):
                print("%s: the link %s leads nowhere" % (page, target))
                mistakes += 1
            elif anchor and full.endswith(".md") and anchor not in anchors(full):
                print("%s: %s has no heading #%s" % (page, full, anchor))
                mistakes += 1
    return 1 if mistakes else 0


sys.exit(main())
