"""test_confs.py - `check`, `config`, `schema`, `docs` and `serve -t`: all that they say of confs that are good, doubtful and wrong."""
from transcript import play_beside

play_beside(__file__, (r"\d+ MiB that this", "N MiB that this"), (r"resolved here: .*?(\"|$|\n)", r"resolved here: WHY\1"))
