"""test_conform.py - `conform`: how a report is shown. What contracts find is tested in core/conform."""
import os

from backplane_test import PROGRAM, skip
from transcript import play_beside

if os.environ.get("BACKPLANE_SANITIZED"):
    skip("whether a program with a sanitizer grows cannot be told")
fixtures = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(PROGRAM))), "tests", "bad_plugins", "fixtures")
play_beside(__file__, (r"\"seconds\":[0-9.e+-]+", '"seconds":N'), (r"Backplane \d+\.\d+\.\d+", "Backplane VERSION"), (r"( \w+/\w+) \d+\.\d+\.\d+ ", r"\1 VERSION "),
            (r"\"version\":\"[^\"]*\"", '"version":"VERSION"'), (r"\(\d+\.\d s\)", "(N s)"), FIXTURES=fixtures)
