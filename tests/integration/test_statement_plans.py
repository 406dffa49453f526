"""test_statement_plans.py - the plan of every statement of every app, on filled tables of SQLite and PostgreSQL: none reads a table
that grows from end to end, and none goes through an index whose columns tell next to nothing, unless it is listed here with the
reason. The statements are taken from the sources as the compiler sees them, so that a new one is judged as well."""
import contextlib
import glob
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile

from backplane_test import SOURCE, Server, check, check_equal, conf, run_tests, skip
from postgres_server import PostgresServer

APPS = ("retrieval", "journal", "knowledge", "questioning")

# Columns that many rows share: an index on them alone reads a good part of a table.
TELLS_LITTLE = {"state", "tenant", "is_indexed", "is_active", "model", "status", "message_type", "owner", "build", "collection_id"}

# Tables with one row for a tenant, which is their key.
ONE_ROW = {"journal_project", "journal_stack", "journal_context", "knowledge_versions"}

# (beginning or part of the statement, why it may read much)
READS_MUCH = [
    ("SELECT COUNT(*) FROM journal_memories WHERE is_indexed = 1", "counted once in twenty rounds, in the background"),
    ("SELECT COUNT(*) FROM messages WHERE is_indexed = 1", "counted once in twenty rounds, in the background"),
    ("UPDATE journal_memories SET is_indexed = 0", "after the loss of a vector store"),
    ("UPDATE messages SET is_indexed = 0", "after the loss of a vector store"),
    ("|| c.heading || ' ' || c.body", "the search by words without a vector store looks into texts"),
    ("SELECT COUNT(*) FROM retrieval_documents d JOIN retrieval_chunks", "counts passages, in the background and while the store is away"),
    ("COALESCE(SUM(CASE WHEN state = 1", "the page of one collection counts its documents"),
    ("(SELECT COUNT(*) FROM retrieval_documents WHERE collection_id = $1)", "the progress of a build counts"),
    ("COALESCE(SUM(c.end_byte - c.start_byte)", "what waits, which the option `queue` bounds"),
    ("COALESCE(SUM(end_byte - start_byte)", "what waits, which the option `queue` bounds"),
    ("SELECT COALESCE(MIN(id), 0), COALESCE(MAX(id), 0) FROM retrieval_chunks", "both ends of the primary key"),
    ("FROM retrieval_collections", "collections are few"),
    ("retrieval_drops", "empty but for a minute after a deletion"),
    ("UPDATE retrieval_documents SET chunking = '?'", "once, at a reindex of what an older version made"),
    ("UPDATE retrieval_documents SET state = 2 WHERE state <> 1 AND state = 3", "once, at a reindex, which writes every document"),
    ("FROM retrieval_files WHERE collection_id", "all files of a watched folder are compared"),
    ("FROM retrieval_versions v JOIN", "versions are under way, and few"),
    ("DELETE FROM retrieval_garbage WHERE collection_id = $1", "a deleted collection's notes"),
    ("DELETE FROM retrieval_files WHERE collection_id", "a deleted collection's files"),
    ("SELECT chunk_id FROM retrieval_garbage", "notes of what is to be removed, and few"),
    ("ORDER BY build, id LIMIT 200", "a page of a deleted collection"),
    ("WHERE d.collection_id = $1 AND d.build < $2", "the index on builds gives those that are behind and no others"),
    ("FROM knowledge_entities e LEFT JOIN", "reads a whole graph, which is what was asked for"),
    ("FROM knowledge_relations WHERE tenant = $1 ORDER BY id", "reads a whole graph, which is what was asked for"),
    ("FROM journal_tasks WHERE tenant = $1", "the tasks of one tenant are listed"),
    ("FROM journal_decisions WHERE tenant = $1 ORDER BY number DESC", "the newest by the primary key, backwards"),
    ("FROM questioning_garbage", "empty but for a moment after a deletion"),
    ("SELECT COUNT(*) FROM work_sessions WHERE end_time IS NULL", "sessions that are open, by their own index"),
    ("UPDATE work_sessions SET end_time", "sessions that are open, by their own index"),
    ("WHERE d.state <> 1 AND d.id > $2", "an index holds only the documents that are not ready"),
    ("WHERE m.is_indexed = 0", "an index holds only what is not indexed"),
    ("WHERE is_indexed = 0", "an index holds only what is not indexed"),
    ("end_time IS NULL OR (ended_by = 'idle'", "the sessions of one person, once when one ends"),
    ("DELETE FROM knowledge_items WHERE expires_wall_ns", "what has expired, by its own index"),
]

# Statements that are put together at run time: how they end up, one for each way.
PUT_TOGETHER = [
    (r"c\.heading, %s, d\.external_id", "SELECT c.id, c.sequence, c.start_char, c.end_char, c.heading, c.body, d.external_id, d.title, "
     "d.source, d.metadata FROM retrieval_chunks c JOIN retrieval_documents d ON d.id = c.document_id WHERE c.id IN ($1, $2, $3)"),
    (r"d\.external_id, d\.hash FROM retrieval_documents d .* IN \($", "SELECT d.external_id, d.hash FROM retrieval_documents d WHERE "
     "d.collection_id = $1 AND d.state = 1 AND (d.chunking = $2 OR d.chunking = '') AND NOT EXISTS (SELECT 1 FROM retrieval_versions v "
     "WHERE v.document_id = d.id) AND d.external_id IN ($3, $4, $5)"),
    (r"FROM journal_memories WHERE tenant = \$1 AND number IN \($", "SELECT number, ref, content_type, content, tags, created_at FROM "
     "journal_memories WHERE tenant = $1 AND number IN ($2, $3)"),
    (r"^SELECT c\.id, .* AND \($", None),  # the search by words, above
    (r"^SELECT (COUNT\(\*\)|1)? ?(FROM %s)?$|^INSERT INTO %s|^DELETE FROM %s", None),  # questioning's records: one table of columns each
    (r"INSERT INTO questioning_garbage \(number\) %s", None),
    (r"^(SELECT|INSERT INTO \w+|DELETE FROM \w+|UPDATE \w+ SET) ?$", None),  # a table's name, not a statement
]

FILL = {  # how many rows of each, by SQL that both databases understand
    "retrieval_collections": "INSERT INTO retrieval_collections (tenant, name, language, model, dimensions, created_wall_ns, vector_name) "
                             "SELECT 'default', 'c' || n, 'en', 'm', 8, 0, 'v' || n FROM numbers WHERE n <= 20",
    "retrieval_documents": "INSERT INTO retrieval_documents (collection_id, external_id, title, source, format, metadata, hash, body, state, "
                           "updated_wall_ns) SELECT 1 + n % 3, 'd' || n, 't', 's', 'text', '{}', 'h' || n, 'body', 1, n FROM numbers",
    "retrieval_chunks": "INSERT INTO retrieval_chunks (document_id, sequence, start_byte, end_byte, start_char, end_char, heading, body) "
                        "SELECT n, 0, 0, 4, 0, 4, '', 'body' FROM numbers",
    "work_sessions": "INSERT INTO work_sessions (id, tenant, owner, start_time, end_time, task, last_active, created_at) SELECT 's' || n, "
                     "'default', 'o' || n % 5, '2026', '2026', 't', '2026', '2026' FROM numbers",
    "user_sessions": "INSERT INTO user_sessions (id, tenant, user_identifier, created_at, updated_at) SELECT 'u' || n, 'default', 'p' || n "
                     "% 50, '2026', '2026' FROM numbers",
    "conversations": "INSERT INTO conversations (id, tenant, user_session_id, created_at, updated_at) SELECT 'c' || n, 'default', 'u' || n, "
                     "'2026', '2026' FROM numbers",
    "messages": "INSERT INTO messages (id, tenant, conversation_id, message_type, content, sequence_number, is_indexed, created_at, "
                "updated_at) SELECT 'm' || n, 'default', 'c' || (1 + n % 500), 'question', 'c', n, 1, '2026', '2026' FROM numbers",
    "journal_memories": "INSERT INTO journal_memories (tenant, ref, content_type, content, tags, is_indexed, created_at) SELECT 'default', "
                        "'r' || n, 'note', 'c', '[]', 1, '2026' FROM numbers",
    "knowledge_entities": "INSERT INTO knowledge_entities (tenant, name, entity_type, tag) SELECT 'default', 'e' || n, 't', 0 FROM numbers",
    "knowledge_observations": "INSERT INTO knowledge_observations (entity_id, hash, content) SELECT n, 'h' || n, 'c' FROM numbers",
    "knowledge_relations": "INSERT INTO knowledge_relations (tenant, from_name, to_name, relation_type, hash) SELECT 'default', 'e' || n, "
                           "'e' || (n + 1), 't', 'h' || n FROM numbers",
}
NUMBERS = "(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000) SELECT n FROM numbers)"


def literals(text):
    """Whole string literals of preprocessed C: pieces that stand side by side are one."""
    one = r'"(?:[^"\\]|\\.)*"'
    for found in re.finditer(one + r"(?:\s*" + one + ")*", text):
        yield "".join(piece[1:-1] for piece in re.findall(one, found.group(0))).encode().decode("unicode_escape")


def statements():
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang") or skip("there is no C compiler to read the sources with")
    rooms = [word for room in sorted(glob.glob(os.path.join(SOURCE, "plugins/shared/*/"))) for word in ("-I", room)]
    found = {}
    for app in APPS:
        for path in sorted(glob.glob(os.path.join(SOURCE, "plugins/app", app, "*.c"))):
            done = subprocess.run([compiler, "-E", "-P", "-I", os.path.join(SOURCE, "sdk/include"), *rooms, path],
                                  capture_output=True, text=True)
            check_equal(done.returncode, 0, f"reading {path}: {done.stderr[:300]}")
            for text in literals(done.stdout):
                if re.match(r"(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|WITH )", text):
                    found.setdefault(text, os.path.relpath(path, SOURCE))
    check(len(found) > 100, f"only {len(found)} statements were found")
    return found


def whole(text):
    """The statement as it runs; None: it is judged elsewhere."""
    for pattern, as_it_runs in PUT_TOGETHER:
        if re.search(pattern, text, re.S):
            return as_it_runs
    return text


def why_much(text):
    return next((reason for part, reason in READS_MUCH if part in text), None)


def columns_of(condition):
    return set(re.findall(r"\(?(?:\w+\.)?\(?(\w+)\)?(?: ?(?:=|>|<|>=|<=) ?(?:\?|\$|ANY|\(|')|)", condition))


def judge(name, plans):
    """plans: of each statement the lines that read a table: (table, columns of the index or None)."""
    faults = []
    for text, path, reads in plans:
        for table, columns in reads:
            if columns is None and not why_much(text):
                faults.append(f"{path}: reads all of {table}: {text}")
            elif columns and columns <= TELLS_LITTLE and table not in ONE_ROW and not why_much(text):
                faults.append(f"{path}: finds rows of {table} by {sorted(columns)} alone: {text}")
    check(not faults, f"{name}: {len(faults)} statements\n" + "\n".join(faults))


def all_apps(folder, **storage):
    app = {"storage": "main", "vector": "docs", "embed": "main"}
    made = conf(folder, **storage)
    made["app"] = {"retrieval": {**app, "llm": ["none"]}, "journal": app, "knowledge": {"storage": "main"},
                   "questioning": app}
    made["server"]["listen"] = [{"address": "127.0.0.1:0", "apps": [name]} for name in APPS]
    return made


def on_sqlite():
    with tempfile.TemporaryDirectory(prefix="backplane-test-") as folder:
        with Server(folder=folder, made=all_apps) as server:
            path = server.databases()[0]
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE numbers AS SELECT n FROM " + NUMBERS)
            for text in FILL.values():
                database.execute(text)
            partial = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'")}
            plans = []
            for text, source in statements().items():
                sql = whole(text)
                if not sql:
                    continue
                try:
                    lines = [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + sql, dict.fromkeys(re.findall(r"\$(\d+)", sql)))]
                except sqlite3.Error as problem:
                    raise AssertionError(f"{source}: {problem}: {text}") from problem
                reads = []
                for line in lines:
                    found = re.match(r"(SCAN|SEARCH) (\w+)(?: USING (.*))?", line)
                    if not found or found.group(2) in ("n", "CONSTANT", "SUBQUERY"):
                        continue
                    used = found.group(3) or ""
                    if any(re.search(rf"\b{name}\b", used) for name in partial):
                        continue
                    inside = re.search(r"\(([^)]*)\)$", used)
                    reads.append((found.group(2), None if found.group(1) == "SCAN" else
                                  set(re.findall(r"(\w+)[=<>]", inside.group(1))) if inside else set()))
                plans.append((sql, source, reads))
        judge("SQLite", plans)
        print(f"{len(plans)} statements")


def on_postgres():
    postgres = PostgresServer()
    with postgres, tempfile.TemporaryDirectory(prefix="backplane-test-") as folder:
        postgres.create_database("plans")
        storage = {"main": {"use": "postgres", "url": postgres.url_of("plans")}}
        with Server(folder=folder, made=lambda where: all_apps(where, storage=storage)):
            pass
        postgres.sql("CREATE TABLE numbers AS SELECT n FROM " + NUMBERS + " x", database="plans")
        for text in FILL.values():
            postgres.sql(text, database="plans")
        postgres.sql("ANALYZE", database="plans")
        partial = {row[0] for row in postgres.sql("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '% WHERE %'", database="plans")}
        texts, script = [], ["SET enable_seqscan = off", "SET plan_cache_mode = force_generic_plan"]
        for text, source in statements().items():
            sql = whole(text)
            if not sql:
                continue
            count = max(map(int, re.findall(r"\$(\d+)", sql)), default=0)
            number = len(texts)
            texts.append((sql, source))
            script += [f"PREPARE s{number} AS {sql}", f"SELECT '#{number}'",
                       f"EXPLAIN EXECUTE s{number}" + (f"({', '.join(['NULL'] * count)})" if count else "")]
        lines = [row[0] for row in postgres.sql(";\n".join(script), database="plans")]
        reads, current = {number: [] for number in range(len(texts))}, None
        for line in lines:
            start = re.match(r"#(\d+)$", line)
            if start:
                current = reads[int(start.group(1))]
                continue
            scan = re.search(r"(Seq Scan|Index Scan|Index Only Scan|Bitmap Index Scan)(?: Backward)?(?: using (\w+))? on (\w+)", line)
            if scan:
                index = scan.group(2) or (scan.group(3) if "Bitmap Index" in line else "")
                current.append([scan.group(3), None if "Seq Scan" in line else set(), index])
            condition = re.match(r"\s*Index Cond: (.*)", line)
            if condition and current:
                current[-1][1] = set(re.findall(r"\b(\w+) (?:=|<|>|<=|>=) ", re.sub(r"\w+\.", "", condition.group(1))))
        judge("PostgreSQL", [(sql, source, [(table, columns) for table, columns, index in reads[number] if index not in partial])
                             for number, (sql, source) in enumerate(texts)])


run_tests([on_sqlite, on_postgres])
