"""wordpiece_reference.py - our tokenizer gives the numbers that the reference, Hugging Face's `tokenizers`, gives.

Compared are every code point of Unicode between letters, 515 naughty strings, 20,000 random texts, the abstracts of
SciFact, and the settings a model may have. The reference knows the letters of Unicode 8 (2015); what came later, ours
treats as what it is. Those are counted, and no text with one of them is compared.
"""
import json
import os
import random
import subprocess
import sys
import unicodedata

import python_tools
from backplane_test import SHARED, check, run_tests

python_tools.inside("tokenizers", "tokenizers==0.22.1")
from tokenizers import Tokenizer, normalizers  # pylint: disable=wrong-import-position

PROGRAM = sys.argv[1]
MODEL = python_tools.sentence_model("all-MiniLM-L6-v2")
LATER = set()  # letters that the reference does not know
NEWER_MAX = 700


def reference():
    made = Tokenizer.from_file(os.path.join(MODEL, "tokenizer.json"))
    made.no_padding()
    made.no_truncation()
    return made


def ours(texts, most=1 << 20, rules="-"):
    given = b"".join(b"%d\n%s" % (len(text), text) for text in (t.encode() for t in texts))
    done = subprocess.run([PROGRAM, os.path.join(MODEL, "vocab.txt"), str(most), rules], input=given,
                          stdout=subprocess.PIPE, check=True)
    return [[int(number) for number in line.split()] for line in done.stdout.decode().splitlines()]


def compare(texts, tokenizer=None, rules="-"):
    texts = [text for text in texts if LATER.isdisjoint(text)]
    wanted = [encoding.ids for encoding in (tokenizer or reference()).encode_batch(texts)]
    found = ours(texts, rules=rules)
    check(len(found) == len(wanted), f"{len(found)} answers for {len(wanted)} texts")
    for text, one, other in zip(texts, found, wanted):
        check(one == other, f"{text!r}: {one[:40]}, the reference has {other[:40]}")
    return len(texts)


def random_texts(count, letters):
    chance = random.Random(20)
    return ["".join(chr(chance.choice(letters if chance.random() < 0.5 else range(32, 0x250)))
                    for _ in range(chance.randrange(60))) for _ in range(count)]


def assigned():
    return [c for c in range(1, 0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn")]


def every_letter_is_treated_as_by_the_reference():
    letters = [c for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000]
    texts = ["a" + chr(c) + "b" + chr(c) for c in letters]
    wanted = [encoding.ids for encoding in reference().encode_batch(texts)]
    LATER.update(chr(c) for c, one, other in zip(letters, ours(texts), wanted) if one != other)
    print(f"{len(letters)} letters, {len(LATER)} of them otherwise, from U+{ord(min(LATER)):04X}")
    check(len(LATER) <= NEWER_MAX, f"{len(LATER)} letters are treated otherwise: {sorted(LATER)[:20]}")
    check(min(LATER) >= "\u0600", f"{min(LATER)!r} is an old letter and is treated otherwise")


def naughty_strings_give_the_same_numbers():
    path = os.path.join(SHARED, "corpora", "strings", "blns.json")
    if not os.path.exists(path):
        print("the naughty strings are not on this machine")
        return
    with open(path, encoding="utf-8") as file:
        print(compare(json.load(file)), "naughty strings")


def random_texts_give_the_same_numbers():
    print(compare(random_texts(20000, assigned())), "random texts")


def documents_give_the_same_numbers():
    path = os.path.join(SHARED, "ir", "scifact", "docs.jsonl")
    if not os.path.exists(path):
        print("SciFact is not on this machine")
        return
    with open(path, encoding="utf-8") as file:
        print(compare([json.loads(line)["text"] for line in file]), "abstracts")


def odd_texts_give_the_same_numbers():
    compare(["", " ", "\n", "a [MASK] b[SEP]c[CLS]", "[mask]", "[UNK]x", "[PAD", "]" * 200, "x" * 100, "y" * 101,
             "x" * 100 + " " + "y" * 101, "\u0130stanbul", "\u03a3\u0399\u03a3\u03a5\u03a6\u039f\u03a3", "e" + "\u0301" * 500,
             "\u1e69\u0323\u0307", "\u4e2d\u6587abc\u65e5\u672c", "\ud7a3\uac01 \u1100\u1161\u11a8", "a\u200bb\u00adc",
             "\u2028\u2029\x85\x0b\x0c", "\ufffd\x00x"])


def other_settings_give_the_same_numbers():
    texts = random_texts(3000, assigned()) + ["Caf\u00e9 CAF\u00c9 \u4e2d\u6587", "\u0130x \u01c5"]
    for rules, settings in (("C", {"lowercase": False}), ("a", {"strip_accents": False}), ("j", {"handle_chinese_chars": False}),
                            ("c", {"clean_text": False}), ("Ca", {"lowercase": False, "strip_accents": False})):
        tokenizer = reference()
        tokenizer.normalizer = normalizers.BertNormalizer(**{"strip_accents": "a" not in rules, **settings})
        compare(texts, tokenizer, rules)


def a_text_is_cut_where_the_reference_cuts_it():
    texts = random_texts(2000, range(97, 123)) + ["the quick brown fox jumps over the lazy dog " * 50]
    for most in (4, 7, 32):
        tokenizer = reference()
        tokenizer.enable_truncation(most)
        check(ours(texts, most) == [encoding.ids for encoding in tokenizer.encode_batch(texts)], f"at {most}")


def a_huge_text_takes_no_time():
    check(len(ours(["word " * 4_000_000], 256)[0]) == 256, "cut at 256")


run_tests([every_letter_is_treated_as_by_the_reference, naughty_strings_give_the_same_numbers,
           random_texts_give_the_same_numbers, documents_give_the_same_numbers, odd_texts_give_the_same_numbers,
           other_settings_give_the_same_numbers, a_text_is_cut_where_the_reference_cuts_it, a_huge_text_takes_no_time])
