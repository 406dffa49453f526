"""test_serving.py - `serve` and `mcp`: what a server logs from its start to its end, by the signal that it gets, and starts that fail."""
from transcript import play_beside

play_beside(__file__, (r"\"ts\":\"[^\"]*\"", '"ts":"NOW"'), (r"(startup|duration)_ms\":[0-9.e-]+", r'\1_ms":N'), (r"127\.0\.0\.1:\d{4,}", "127.0.0.1:PORT"),
            (r"process id \d+", "process id N"), (r"\"version\":\"[^\"]*\"", '"version":"VERSION"'), (r"\"routes\":\d+", '"routes":N'),
            (r"\"request_id\":\"\w+\"", '"request_id":"ID"'))
