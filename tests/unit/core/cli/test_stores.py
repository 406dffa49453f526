"""test_stores.py - `key` and `db`: all that they say of a storage and its keys."""
from transcript import play_beside

play_beside(__file__, (r"\b[0-9a-f]{16}\b", "ID--------------"), (r"bp_\w+", "KEY"), (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "2026-01-01T00:00:00Z"),
            (r"process id \d+", "process id N"))
