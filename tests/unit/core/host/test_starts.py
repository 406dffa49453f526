"""test_starts.py - starts of the host that fail, one for each step, and what they leave: nothing that the next start would stumble over."""
from transcript import play_beside

play_beside(__file__, (r"\"ts\":\"[^\"]*\"", '"ts":"NOW"'), (r"127\.0\.0\.1:\d{4,}", "127.0.0.1:PORT"), (r"process id \d+", "process id N"),
            (r"\"request_id\":\"\w+\"", '"request_id":"ID"'), (r"startup_ms\":[0-9.e-]+", 'startup_ms":N'), (r"\"version\":\"[^\"]*\"", '"version":"VERSION"'),
            (r"\"routes\":\d+", '"routes":N'))
