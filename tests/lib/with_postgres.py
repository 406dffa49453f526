"""with_postgres.py [--pgvector] PROGRAM [ARGUMENT...] - runs a program while a PostgreSQL server of its own runs; its URL
is in BACKPLANE_TEST_POSTGRES, that over the Unix socket in BACKPLANE_TEST_POSTGRES_SOCKET."""
import os
import subprocess
import sys

words = sys.argv[1:]
if words[0] == "--pgvector":
    from pgvector_server import PgvectorServer as PostgresServer
    words = words[1:]
else:
    from postgres_server import PostgresServer

with PostgresServer() as postgres:
    ended = subprocess.run(words, env=dict(os.environ, BACKPLANE_TEST_POSTGRES=postgres.url,
                                           BACKPLANE_TEST_POSTGRES_SOCKET=postgres.socket_url)).returncode
sys.exit(ended if ended >= 0 else 128 - ended)
