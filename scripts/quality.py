"""quality.py WHAT RESULT SECONDS - writes one row of the table in docs/quality.md: when it was, of which commit, on how many cores.

A row stays until its part runs again, so that each says what it was of.
"""
import datetime
import os
import subprocess
import sys

PAGE = "docs/quality.md"
HEAD = "| what | result | seconds | date | commit | cores |\n|---|---|---|---|---|---|\n"


def commit():
    told = subprocess.run(["git", "describe", "--always", "--exclude=*"], capture_output=True, text=True)
    return told.stdout.strip() or "unknown"


def main():
    what, result, seconds = sys.argv[1:4]
    with open(PAGE, encoding="utf-8") as file:
        text, _, table = file.read().partition("| what |")
    rows = [line for line in table.split("\n")[2:] if line.startswith("| ")]
    cells = [what, result.replace("|", "/"), seconds, datetime.date.today().isoformat(), commit(), str(os.cpu_count())]
    row = "| " + " | ".join(cells) + " |"
    places = [i for i, line in enumerate(rows) if line.split(" | ")[0] == "| " + what]
    if places:
        rows[places[0]] = row
    else:
        rows.append(row)
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(text + HEAD + "".join(line + "\n" for line in rows))


if __name__ == "__main__":
    main()
