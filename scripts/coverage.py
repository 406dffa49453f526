"""coverage.py - which share of the lines and branches of core/ and plugins/ the tests reach, by folder.

    scripts/coverage.sh [--all-tests] [FOLDER...]

Builds with gcc in build/coverage (preset `coverage`) and runs the unit tests; integration tests reach nearly every line
once and so hide what no unit test asks about. A program that is killed or crashes leaves no counts behind. Headers
count with the folder they are in. Code that several plugins compile in counts once, as reached when it is in one.

gcov alone does it. gcovr, which Debian has, also makes pages of each line:
`gcovr -r . --object-directory build/coverage --html-details FILE` after a run of this.
"""
import argparse
import collections
import json
import os
import shutil
import subprocess
import sys

ROOT = os.getcwd()
BUILD = os.path.join(ROOT, "build", "coverage")
AT_ONCE = 50  # files given to one gcov
LINES_AIM, BRANCHES_AIM = 0.85, 0.70  # of each folder of core


def made_in_build(ending):
    names = (os.path.join(root, name) for root, _, files in os.walk(BUILD) for name in files)
    return sorted(name for name in names if name.endswith(ending))


def build():
    options = ["-DBUILD_TESTING=ON",
               "-DBP_SHARED_DIR=" + os.environ.get("BACKPLANE_SHARED", os.path.join(os.path.dirname(ROOT), "shared"))]
    if shutil.which("ccache"):
        options.append("-DCMAKE_C_COMPILER_LAUNCHER=ccache")
    for command in ["cmake", "--preset", "coverage", *options], ["ninja", "-C", BUILD]:
        made = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if made.returncode:
            sys.exit(f"coverage: {' '.join(command[:3])} fails; mend what it says:\n{made.stdout[-4000:]}")
    for path in made_in_build(".gcda"):  # of the run before, and of programs that the build itself runs
        os.remove(path)


def run_tests(pattern):
    done = subprocess.run(["ctest", "--test-dir", BUILD, "-R", pattern, "--no-tests=error", "--output-on-failure",
                           "-j", str(os.cpu_count())], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(done.stdout[-8000:], file=sys.stderr)
    return done.returncode == 0


def measured():
    """How often each line was run and each of its branches taken: {file: {line: [count, [count of branch, ...]]}}."""
    files = collections.defaultdict(dict)
    notes = made_in_build(".gcno")  # one for each object, also for those that no test ran
    for first in range(0, len(notes), AT_ONCE):
        command = ["gcov", "--json-format", "--stdout", "--branch-probabilities", *notes[first:first + AT_ONCE]]
        gcov = subprocess.run(command, cwd=BUILD, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for report in map(json.loads, gcov.stdout.splitlines()):
            for file in report["files"]:
                path = os.path.realpath(os.path.join(report["current_working_directory"], file["file"]))
                name = os.path.relpath(path, ROOT)
                if name.startswith(("core/", "plugins/")):
                    add(files[name], file["lines"])
    return files


def add(known, lines):
    for line in lines:
        entry = known.setdefault(line["line_number"], [0, []])
        branches = [branch["count"] for branch in line["branches"]]
        entry[0] += line["count"]
        entry[1].extend([0] * (len(branches) - len(entry[1])))
        for at, count in enumerate(branches):
            entry[1][at] += count


def folder_of(name):
    parts = name.split("/")
    return "/".join(parts[:2 if parts[0] == "core" else 3])


def sums(lines):
    """(lines, those reached, branches, those reached)"""
    reached = [count > 0 for count, _ in lines.values()]
    taken = [count > 0 for _, branches in lines.values() for count in branches]
    return [len(reached), sum(reached), len(taken), sum(taken)]


def share(reached, of):
    return f"{reached / of:7.1%}" if of else f"{'-':>7}"


def print_row(name, row):
    print(f"{name:40} {row[1]:7} {row[0]:7} {share(row[1], row[0])} {row[3]:9} {row[2]:7} {share(row[3], row[2])}")


def print_table(files, wanted):
    """One row a folder; with folders wanted, only theirs and one for each of their files."""
    folders = collections.defaultdict(list)
    for name in sorted(files):
        folders[folder_of(name)].append((name, sums(files[name])))
    print(f"{'':40} {'lines':>7} {'of':>7} {'share':>7} {'branches':>9} {'of':>7} {'share':>7}")
    whole, low = [0, 0, 0, 0], []
    for folder in sorted(wanted or folders):
        for name, row in folders[folder] if wanted else []:
            print_row("  " + os.path.relpath(name, folder), row)
        total = [sum(column) for column in zip(*(row for _, row in folders[folder]))] or [0, 0, 0, 0]
        print_row(folder, total)
        whole = [a + b for a, b in zip(whole, total)]
        if folder.startswith("core/") and (total[1] < total[0] * LINES_AIM or total[3] < total[2] * BRANCHES_AIM):
            low.append(folder)
    print_row("all", whole)
    print(f"{share(whole[1], whole[0]).strip()} of lines, {share(whole[3], whole[2]).strip()} of branches; folders of core below "
          f"{LINES_AIM:.0%} and {BRANCHES_AIM:.0%}: {' '.join(low) or 'none'}")


def folders_from(names):
    known = {folder_of(os.path.join(root, name)) for top in ("core", "plugins") for root, _, files in os.walk(top)
             for name in files if name.endswith((".c", ".h"))}
    found = []
    for name in (name.rstrip("/") for name in names):
        if name not in known and "plugins/" + name not in known:
            sys.exit(f"coverage: there is no folder of sources {name}; name one of core/ or plugins/")
        found.append(name if name in known else "plugins/" + name)
    return found


def main():
    parser = argparse.ArgumentParser(prog="scripts/coverage.sh", description=__doc__.split("\n\n")[2])
    parser.add_argument("--all-tests", action="store_true", help="run the integration tests as well")
    parser.add_argument("folders", nargs="*", metavar="FOLDER",
                        help="core/loop, storage/sqlite, ...: these, file by file; without any: all, as a whole each")
    wanted = parser.parse_args()
    folders = folders_from(wanted.folders)
    build()
    is_green = run_tests(r"^(unit|integration)\." if wanted.all_tests else r"^unit\.")
    print_table(measured(), folders)
    if not is_green:
        sys.exit("coverage: tests failed, see above; what they did not come to is missing from the table")


if __name__ == "__main__":
    main()
