"""test_contracts.py - `conform`: the tables of plugins that keep their contract and of some that do not, and what it says of wrong wishes."""
import os
import re

from answering import answering
from backplane_test import PROGRAM, skip
from transcript import play_beside

if os.environ.get("BACKPLANE_SANITIZED"):
    skip("whether a program with a sanitizer grows cannot be told")
fixtures = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(PROGRAM))), "tests", "bad_plugins", "fixtures")
with answering() as url:
    play_beside(__file__, (r"\"seconds\":[0-9.e+-]+", '"seconds":N'), (r"Backplane \d+\.\d+\.\d+", "Backplane VERSION"), (r"( \w+/\w+) \d+\.\d+\.\d+ ", r"\1 VERSION "),
                (r"\"version\":\"[^\"]*\"", '"version":"VERSION"'), (r"by \d+ bytes allocated and \d+ resident", "by N bytes allocated and N resident"),
                (r"after \d+ rounds", "after N rounds"), (r"-?\d+ descriptors", "N descriptors"), (re.escape(url), "URL"), (r"\"request_id\":\"\w+\"", '"request_id":"ID"'),
                FIXTURES=fixtures, APPS=os.environ["BACKPLANE_FAULT_PLUGINS"] + "/app", URL=url)
