"""test_metrics_defined.py - docs/metrics.md has every metric that the sources define, and no other: `--write` writes it again."""
import re
import sys

from backplane_test import check, check_equal, run_tests
from metric_definitions import PAGE, defined, page, sources, written


def the_page_is_what_the_sources_define():
    made, found = page(defined()).splitlines(), written().splitlines()
    missing = [line for line in made if line not in found]
    gone = [line for line in found if line not in made]
    check_equal((missing, gone, found == made), ([], [], True), "docs/metrics.md is not what the sources define: run this test with --write")


def names_that_look_like_metrics_are_on_the_page():
    """The reader of definitions is judged by names alone, wherever they stand."""
    text, wrong = written(), []
    for where, source in sources():
        for name in re.findall(r'"((?:[a-z]+_)+(?:total|seconds|bytes))"', source):
            if re.search(rf'(COUNTER|GAUGE|HISTOGRAM),\s*"{name}"', source) and f"{name}` |" not in text:
                wrong.append(f"{where}: {name}")
    check(not wrong, f"not on the page: {wrong}")


def each_has_a_sentence():
    wrong = [f"{one.where}: {name}: {one.said!r}" for name, one in defined().items()
             if not one.said[:1] in "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" or not one.said.endswith(".")]
    check(not wrong, f"what it is begins with a capital and ends with a full stop: {wrong}")
    units = [name for name, one in defined().items() if (one.kind == "counter") != name.endswith("_total")]
    check(not units, f"counters, and nothing else, end in _total: {units}")


if __name__ == "__main__":
    if "--write" in sys.argv:
        made = page(defined())
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(made)
    else:
        run_tests([the_page_is_what_the_sources_define, names_that_look_like_metrics_are_on_the_page, each_has_a_sentence])
