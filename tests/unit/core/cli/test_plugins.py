"""test_plugins.py - `plugins`, `inspect` and `plugin new`: all that they say of good and of broken files."""
from transcript import play_beside

play_beside(__file__, (r"\(\d+ bytes\)", "(N bytes)"), (r"\"size_bytes\":\d+", '"size_bytes":N'), (r"\b[0-9a-f]{40}\b", "BUILD-ID"),
            (r"(storage|cache|embed)( +\w+ +)\d+\.\d+\.\d+ ", r"\1\2VERSION "), (r"(\w+/\w+) \d+\.\d+\.\d+", r"\1 VERSION"),
            (r"\"version\":\"[^\"]*\"", '"version":"VERSION"'), (r"\"abi_minor\":\d+", '"abi_minor":N'), (r"ABI:         1\.\d+", "ABI:         1.N"))
