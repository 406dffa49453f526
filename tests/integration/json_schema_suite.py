"""json_schema_suite.py - the official JSON-Schema-Test-Suite, required tests of 2020-12 and draft-07, against the
host's JSON Schema.

    json_schema_suite.py PROGRAM DIRECTORY

PROGRAM is json_schema_suite; the suite comes with the source of the Python package jsonschema, which is fetched into
DIRECTORY. What is expected to fail is listed by name below, with the reason; anything else that fails is a failure, and
so is a listed name that passes.
"""
import glob
import json
import os
import subprocess
import sys
import tarfile

SKIPPED = 77
PACKAGE = "jsonschema"
VERSION = "4.23.0"

DRAFTS = {"draft2020-12": "https://json-schema.org/draft/2020-12/schema",
          "draft7": "http://json-schema.org/draft-07/schema#"}

# Whole cases that refer to other documents, and nothing is ever fetched. DRAFT/FILE: descriptions.
FETCHES = {
    "draft2020-12/defs": [
        "validate definition against metaschema",
    ],
    "draft2020-12/dynamicRef": [
        "strict-tree schema, guards against misspelled properties",
        "tests for implementation dynamic anchor and reference link",
        "$ref and $dynamicAnchor are independent of order - $defs first",
        "$ref and $dynamicAnchor are independent of order - $ref first",
        "$ref to $dynamicRef finds detached $dynamicAnchor",
    ],
    "draft2020-12/ref": [
        "remote ref, containing refs itself",
    ],
    "draft2020-12/refRemote": [
        "remote ref",
        "fragment within remote ref",
        "anchor within remote ref",
        "ref within remote ref",
        "base URI change",
        "base URI change - change folder",
        "base URI change - change folder in subschema",
        "root ref in remote ref",
        "remote ref with ref to defs",
        "Location-independent identifier in remote ref",
        "retrieved nested refs resolve relative to their URI not $id",
        "remote HTTP ref with different $id",
        "remote HTTP ref with different URN $id",
        "remote HTTP ref with nested absolute ref",
        "$ref to $ref finds detached $anchor",
    ],
    "draft2020-12/vocabulary": [
        "schema that uses custom metaschema with with no validation vocabulary",
        "ignore unrecognized optional vocabulary",
    ],
    "draft7/definitions": [
        "validate definition against metaschema",
    ],
    "draft7/ref": [
        "remote ref, containing refs itself",
    ],
    "draft7/refRemote": [
        "remote ref",
        "fragment within remote ref",
        "ref within remote ref",
        "base URI change",
        "base URI change - change folder",
        "base URI change - change folder in subschema",
        "root ref in remote ref",
        "remote ref with ref to definitions",
        "Location-independent identifier in remote ref",
        "retrieved nested refs resolve relative to their URI not $id",
        "$ref to $ref finds location-independent $id",
    ],
}


def fetch_suite(directory):
    folder = os.path.join(directory, f"{PACKAGE}-{VERSION}")
    if not os.path.isdir(folder):
        os.makedirs(directory, exist_ok=True)
        done = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", PACKAGE, "-d",
                               directory, f"{PACKAGE}=={VERSION}"], capture_output=True, text=True)
        if done.returncode:
            print("skipped: the package with the suite cannot be fetched: " + done.stderr.strip()[-300:])
            sys.exit(SKIPPED)
        with tarfile.open(folder + ".tar.gz") as archive:
            archive.extractall(directory)
    return os.path.join(folder, "json", "tests")


def cases_of(suite, draft):
    for path in sorted(glob.glob(os.path.join(suite, draft, "*.json"))):
        with open(path) as file:
            for case in json.load(file):
                schema = case["schema"]
                if isinstance(schema, dict):
                    schema.setdefault("$schema", DRAFTS[draft])
                yield os.path.basename(path)[:-5], case


def main():
    program, directory = sys.argv[1:3]
    suite = fetch_suite(directory)
    failures = 0
    unseen = {(file, case) for file, listed in FETCHES.items() for case in listed}
    for draft in DRAFTS:
        cases = list(cases_of(suite, draft))
        lines = "".join(json.dumps({"schema": case["schema"], "data": [test["data"] for test in case["tests"]]}) + "\n"
                        for _, case in cases)
        answers = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
        passed = total = excepted = 0
        if len(answers) != len(cases):
            sys.exit(f"{len(answers)} answers to {len(cases)} cases")
        for (file, case), answer in zip(cases, answers):
            answer = json.loads(answer)
            name = f"{draft}/{file}"
            is_listed = case["description"] in FETCHES.get(name, [])
            unseen.discard((name, case["description"]))
            total += len(case["tests"])
            wrong = [test["description"] for test, fits in zip(case["tests"], answer.get("fits", []))
                     if fits != test["valid"]]
            if "fits" not in answer:
                wrong = [answer.get("problem", "the line could not be read")]
            if bool(wrong) != is_listed:
                failures += 1
                print(f"{name}: {case['description']}: {wrong or 'is listed as one that fails, but passes'}")
            elif is_listed:
                excepted += len(case["tests"])
            else:
                passed += len(case["tests"])
        print(f"{draft}: {passed} of {total} tests passed, {excepted} excepted because they fetch another document")
    for file, case in sorted(unseen):
        print(f"{file}: {case}: is listed, but there is no such case")
    return 1 if failures or unseen else 0


sys.exit(main())
