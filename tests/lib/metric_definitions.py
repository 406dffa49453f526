"""metric_definitions.py - every metric that the sources of the core and of the plugins define, and docs/metrics.md, which is made of them.

Servers alone do not tell: what a plugin counts is there only where a conf has it, with its replica, its model and its server. A
definition that is written in a way this file does not read is an error, not a gap.
"""
import collections
import os
import re

from backplane_test import SOURCE

PAGE = os.path.join(SOURCE, "docs", "metrics.md")
HEAD = """# Metrics

The metrics of `GET /metrics`, in Prometheus' text format. `tests/integration/test_metrics_defined.py --write` generates this page
from the definitions in the sources; another test compares it with running servers. Counters start at zero before the first event.

The label `instance` is an instance's name in the conf, `plugin` its kind and plugin. Histograms have buckets from 5 ms to 120 s.
"""
REGISTRY = ("core/base/metrics.c", "core/plugin/services.c")  # where others' definitions pass through
STRINGS = r'("(?:[^"\\]|\\.)*"(?:\s*"(?:[^"\\]|\\.)*")*)'
TYPED = r"(COUNTER|GAUGE|HISTOGRAM)"

Metric = collections.namedtuple("Metric", "kind said labels where")


def joined(literals):
    """The text of C string literals that stand side by side."""
    return re.sub(r"\\(.)", r"\1", "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals)))


def sources():
    for top in ("core", "plugins"):
        for root, _, names in os.walk(os.path.join(SOURCE, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    path = os.path.join(root, name)
                    with open(path, encoding="utf-8") as file:
                        text = file.read()
                    yield os.path.relpath(path, SOURCE), re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)


def calls(text, name):
    """What stands behind NAME( of each call; definitions and declarations of a function of that name are none."""
    return [text[found.end():] for found in re.finditer(rf"(?<!\w){name}\(", text)
            if not re.match(r"\s*(enum |bp_call \*|const struct )", text[found.end():])]


def in_core(text):
    """(kind, name, sentence, labels) of one file, None for a call that is not understood."""
    for rest in calls(text, "metrics_single"):
        found = re.match(rf"METRIC_{TYPED},\s*{STRINGS},\s*{STRINGS}\)", rest)
        yield found and (found[1], joined(found[2]), joined(found[3]), "")
    for found in re.finditer(r"(?<!\w)metrics_define\(", text):
        rest = text[found.end():]
        plain = re.match(rf"METRIC_{TYPED},\s*{STRINGS},\s*{STRINGS},\s*{STRINGS}\)", rest)
        passed_on = re.match(rf"METRIC_{TYPED}, name, help, {STRINGS}\)", rest)
        if plain:
            yield plain[1], joined(plain[2]), joined(plain[3]), joined(plain[4])
        elif passed_on:  # by a function of the file, whose calls have name and sentence
            function = re.findall(r"^static [\w ]+\*?(\w+)\([^)]*name, [^)]*\)\n\{", text[:found.start()], flags=re.M)[-1]
            several = [re.match(rf"(?:\w+,\s*)?{STRINGS},\s*{STRINGS}[,)]", rest) for rest in calls(text, function)]
            several = [one for one in several if one]
            for one in several:
                yield passed_on[1], joined(one[1]), joined(one[2]), joined(passed_on[2])
            if not several:
                yield None
        else:
            yield None


def in_plugin(text, prefixes):
    """The same of a plugin, whose labels begin with the instance. `prefixes`: of names that are put together."""
    rows = re.findall(rf"BP_{TYPED},\s*{STRINGS},\s*{STRINGS},\s*{STRINGS}", text)
    tabled = "table[i].type, name," in text, "table[i].type, table[i].name," in text
    for kind, name, said, labels in rows:
        for prefix in prefixes if tabled[0] else [""]:
            yield kind, prefix + joined(name), joined(said), ("instance " + joined(labels)).strip()
    for rest in calls(text, "bp_metric_define"):
        if not re.match(rf"call, BP_{TYPED},\s*{STRINGS},\s*{STRINGS},\s*{STRINGS},", rest) and not any(tabled):
            yield None


def defined():
    """name -> Metric. Fails for what it cannot read."""
    found, texts = {}, dict(sources())
    prefixes = sorted({prefix + "_" for text in texts.values() for prefix in re.findall(r'redis_client_new\(call, [^,]+, "(\w+)"', text)})
    for where, text in texts.items():
        if where in REGISTRY or where.endswith(".h"):
            continue
        for one in in_core(text) if where.startswith("core/") else in_plugin(text, prefixes):
            if one is None:
                raise AssertionError(f"{where} defines a metric in a way that is not read: teach tests/lib/metric_definitions.py")
            kind, name, said, labels = one
            if name in found and found[name][:3] != (kind.lower(), said, labels.split()):
                raise AssertionError(f"{where} defines {name} otherwise than {found[name].where} does")
            found[name] = Metric(kind.lower(), said, labels.split(), where)
    return found


def row(name, kind, said, labels):
    return f"| `{name}` | {kind} | {' '.join(f'`{label}`' for label in labels)} | {said} |"


def page(metrics):
    lines = [HEAD, "| metric | type | labels | what it is |", "|---|---|---|---|"]
    return "\n".join(lines + [row(name, one.kind, one.said, one.labels) for name, one in sorted(metrics.items())]) + "\n"


def written():
    with open(PAGE, encoding="utf-8") as file:
        return file.read()
