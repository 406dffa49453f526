"""counts.py - instructions of the hot paths, against those that tests/instructions/counts.txt has.

    counts.py PATHS [--write]         PATHS: the program; --write: what is measured becomes what is compared with

A path may get cheaper by itself; one that costs more than 5 percent more fails, until counts.txt says so and
docs/performance.md why. Instructions are counted by valgrind, so that the machine and its load change nothing; other
compilers, libraries and processors do, so counts.txt names the compiler and another one skips.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTS = os.path.join(HERE, "counts.txt")
FEW, MANY = 100, 1100
MORE_PERCENT = 5


def instructions(program, name, times):
    told = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, name, str(times)],
                          capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", told.stderr)
    if told.returncode or not found:
        sys.exit(f"{name} cannot be counted:\n{told.stderr}")
    return int(found.group(1))


def compiler(program):
    told = subprocess.run(["readelf", "-p", ".comment", program], capture_output=True, text=True).stdout
    found = re.search(r"(GCC|clang)[^\d]*(\d+\.\d+)", told)
    return " ".join(found.groups()) if found else "unknown"


def read():
    made_by, counts = None, {}
    for line in open(COUNTS, encoding="utf-8"):
        if line.startswith("# made by "):
            made_by = line[len("# made by "):].strip()
        elif line.strip() and not line.startswith("#"):
            name, count = line.split()
            counts[name] = int(count)
    return made_by, counts


def main():
    program, is_writing = sys.argv[1], "--write" in sys.argv
    names = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    made_by, known = (None, {}) if is_writing else read()
    if not is_writing and made_by != compiler(program):
        print(f"skipped: counts.txt was made by {made_by}, this build by {compiler(program)}")
        sys.exit(77)
    found, failed = {}, []
    for name in names:
        found[name] = round((instructions(program, name, MANY) - instructions(program, name, FEW)) / (MANY - FEW))
        before = known.get(name)
        print(f"{name:24} {before if before is not None else '-':>8} -> {found[name]:>8}", flush=True)
        if not is_writing and (before is None or found[name] > before * (1 + MORE_PERCENT / 100)):
            failed.append(name)
    if is_writing:
        with open(COUNTS, "w", encoding="utf-8") as file:
            file.write(f"# Instructions of one pass; counts.py compares, counts.py PATHS --write writes.\n# made by {compiler(program)}\n")
            file.writelines(f"{name} {found[name]}\n" for name in names)
        return
    missing = sorted(set(known) - set(names))
    if failed or missing:
        sys.exit(f"more than {MORE_PERCENT} percent more: {failed}; not measured: {missing}. If it is meant so, write the new "
                 "counts with --write and say why in docs/performance.md")


if __name__ == "__main__":
    main()
