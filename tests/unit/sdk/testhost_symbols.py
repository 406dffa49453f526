#!/usr/bin/env python3
"""testhost_symbols.py - what the archive of the fake host shows and asks for: testhost_* and no name of the core, and
none of the libraries that only a server needs.

    testhost_symbols.py NM libbackplane-testhost.a
"""
import re
import subprocess
import sys

nm, archive = sys.argv[1:]


def symbols(*options):
    rows = subprocess.run([nm, *options, archive], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return [row.split()[-1] for row in rows if len(row.split()) >= 2]


shown = symbols("--extern-only", "--defined-only")
asked = symbols("--undefined-only")
tooling = re.compile(r"__(asan|ubsan|odr_asan|gcov|llvm|sanitizer|profc|profd)")
strange = [name for name in shown if not name.startswith("testhost_") and not tooling.match(name)]
server = [name for name in asked if re.match(r"(uv_|curl_|SSL_|lt_dl|sqlite3_)", name)]
if "testhost_new" not in shown:
    sys.exit(f"{archive} does not show testhost_new")
if strange:
    sys.exit(f"{archive} shows names that a program may have too: {' '.join(strange[:20])}")
if server:
    sys.exit(f"{archive} asks for libraries that only a server needs: {' '.join(server[:20])}")
print(f"{len(shown)} symbols are shown, {len(asked)} are asked for")
