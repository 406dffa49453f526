"""mutants.py - where one token of a C file can be changed so that the program should behave otherwise, for mutate.py.

Only bodies of functions are looked at; never comments, texts, preprocessor lines, tables of texts, or what is said to
people (log lines, error sentences).
"""
import collections
import os
import re

Token = collections.namedtuple("Token", "kind text start end")
Site = collections.namedtuple("Site", "file line kind start end new")  # the text from start to end becomes new

TOKEN = re.compile(r"""(?P<skip>\s+|//[^\n]*|/\*.*?\*/|\#(?:\\\n|/\*.*?\*/|[^\n])*)
    |(?P<text>(?:u8|[LuU])?"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<name>[A-Za-z_]\w*)
    |(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
    |(?P<sign><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|.)""", re.X | re.S)
NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|\d+\.\d*|\d+)([uUlLfF]*)$")
COMPARISONS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}
SIGNS = {"+": "-", "-": "+", "+=": "-=", "-=": "+=", "++": "--", "--": "++"}
# What these say is for people; nothing in their arguments is worth a test.
TEXT_CALLS = re.compile(r"(bp_log(_event)?|log_(event|record|message|failure)|f?printf|perror|problem_\w+|"
                        r"bp_health_say|(\w+_)?fail(_detail|_over|_for_client|_outcome_unknown)?)$")
# Their loss is for sanitizers to see, not for the assertions of a test: memory, locks, and what tells a sanitizer of fibers.
UNSEEN_CALLS = re.compile(r"(free|memset|va_end|pthread_mutex_lock|annotate_\w+|CHECK(_ALWAYS)?)$")


def tokens_of(text):
    return [Token(m.lastgroup, m.group(), m.start(), m.end()) for m in TOKEN.finditer(text) if m.lastgroup != "skip"]


def pairs_of(tokens):
    """The index of the bracket that closes each bracket, and the other way round."""
    pairs, open_at = {}, []
    for at, token in enumerate(tokens):
        if token.kind == "sign" and token.text in "([{":
            open_at.append(at)
        elif token.kind == "sign" and token.text in ")]}" and open_at:
            pairs[at] = open_at.pop()
            pairs[pairs[at]] = at
    return pairs


def bodies_of(tokens, pairs):
    """(first, last, whether it returns a bp_status) of the body of each function."""
    at = head = 0
    while at < len(tokens):
        if tokens[at].text == "{":
            if at and tokens[at - 1].text == ")":
                before = [token.text for token in tokens[head:pairs.get(at - 1, at)]]
                yield at, pairs.get(at, at), "bp_status" in before and "*" not in before
            at = pairs.get(at, at)
            head = at + 1
        elif tokens[at].text == ";":
            head = at + 1
        at += 1


def left_out(tokens, pairs, first, last):
    """Indexes within texts for people: the arguments of calls that log or fail, and tables of texts. And what a
    sizeof is of: it is never evaluated, so that another index there changes nothing."""
    out = set()
    for at in range(first, last):
        if tokens[at].text == "sizeof" and tokens[at + 1].text == "(":
            out.update(range(at, pairs[at + 1] + 1))
        if tokens[at].kind == "name" and TEXT_CALLS.match(tokens[at].text) and tokens[at + 1].text == "(":
            out.update(range(at, pairs[at + 1] + 1))
        elif tokens[at].text == "{" and tokens[at - 1].text == "=":
            inside = range(at, pairs[at] + 1)
            if any(tokens[i].kind == "text" for i in inside):
                out.update(inside)
    return out


def by_one(text, rng):
    match = NUMBER.match(text)
    if not match or (len(match[1]) > 1 and match[1][0] == "0" and match[1].isdigit()):
        return None  # octal: a mode of files
    if "." in match[1]:
        return str(float(match[1]) + 1) + match[2]
    value = int(match[1], 0)
    value += 1 if value == 0 else rng.choice((1, -1))
    return (hex(value) if match[1][:2].lower() == "0x" else str(value)) + match[2]


def changes_at(tokens, pairs, at, returns_status, rng):
    """(class, first index, last index, new text) of each change that begins at a token."""
    token, before, after = tokens[at], tokens[at - 1], tokens[at + 1]
    is_binary = before.kind in ("name", "number", "text") and before.text != "return" or before.text in (")", "]")
    if token.text in COMPARISONS:
        yield "comparison", at, at, rng.choice(COMPARISONS[token.text])
    elif token.text in ("&&", "||"):
        yield "and/or", at, at, "||" if token.text == "&&" else "&&"
    elif token.text in SIGNS and (is_binary or len(token.text) == 2):
        yield "plus/minus", at, at, SIGNS[token.text]
    elif token.kind == "number":
        new = by_one(token.text, rng)
        if new:
            yield "constant", at, at, new
    elif token.text in ("if", "while") and after.text == "(":
        yield "negated", at + 1, pairs[at + 1], "(!{})"
    elif token.text == "return" and returns_status:
        end = next(i for i in range(at, len(tokens)) if tokens[i].text == ";")
        if [t.text for t in tokens[at + 1:end]] != ["BP_OK"]:
            yield "status", at + 1, end - 1, "BP_OK"
    elif token.kind == "name" and after.text == "(" and not UNSEEN_CALLS.match(token.text):
        begins = before.text in (";", "{", "}", "else") or \
            before.text == ")" and tokens[pairs[at - 1] - 1].text in ("if", "for", "while")
        end = pairs[at + 1]
        if begins and token.text not in ("for", "switch", "return", "sizeof") and tokens[end + 1].text == ";":
            yield "call removed", at, end, "(void)0"


def sites_of(source, file, rng):
    text = open(os.path.join(source, file), encoding="utf-8").read()
    tokens = tokens_of(text)
    pairs = pairs_of(tokens)
    for first, last, returns_status in bodies_of(tokens, pairs):
        out = left_out(tokens, pairs, first, last)
        for at in range(first + 1, last):
            if at in out:
                continue
            for kind, begin, end, new in changes_at(tokens, pairs, at, returns_status, rng):
                start, stop = tokens[begin].start, tokens[end].end
                line = text.count("\n", 0, start) + 1
                yield Site(file, line, kind, start, stop, new.replace("{}", text[start:stop]))


def in_order(source, files, rng):
    """The sites in files below source, in the order in which they are tried: each class as often as the others."""
    by_class = collections.defaultdict(list)
    for file in sorted(files):
        for site in sites_of(source, file, rng):
            by_class[site.kind].append(site)
    for sites in by_class.values():
        rng.shuffle(sites)
    while by_class:
        kind = rng.choice(sorted(by_class))
        yield by_class[kind].pop()
        if not by_class[kind]:
            del by_class[kind]
