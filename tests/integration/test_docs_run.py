"""test_docs_run.py - what the pages tell people to write works: every YAML block is taken by `backplane check --offline`, and every command
line that begins with backplane has a command, options and words that the program's own table has.

A block of a page may be a part of a conf: instances that it refers to may stand in another block, its variables are set, and its files are
there. Everything else that check finds is a mistake of the page.
"""
import json
import os
import re
import shlex
import shutil
import tempfile

from backplane_test import PLUGINS, SOURCE, check, conf, run, run_tests

folder = tempfile.mkdtemp(prefix="backplane-test-")
SECTIONS = ("server", "log", "storage", "cache", "vector", "embed", "llm", "health", "alert", "app", "data_dir", "plugins")
BUILT = {"/".join(os.path.join(root, name).split("/")[-2:])[:-3] for root, _, names in os.walk(PLUGINS) for name in names}
FORGIVEN = (r"there is no \w+ instance", r"is required where mode is keys", r"warning: ", r"plugin folder /path/")


def pages():
    for root, folders, files in os.walk(SOURCE):
        folders[:] = [f for f in folders if not f.startswith((".", "build")) and f not in ("data", "node_modules", "tests")]
        for name in sorted(files):
            if name.endswith(".md"):
                yield os.path.join(root, name)


def blocks(path):
    """(line, language, text) of fenced and of indented blocks."""
    fenced, indented, language, start = None, None, "", 0
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n") + [""]
    for number, line in enumerate(lines, 1):
        if fenced is not None:
            if line.startswith("```"):
                yield start, language, "\n".join(fenced) + "\n"
                fenced = None
            else:
                fenced.append(line)
        elif line.startswith("```"):
            fenced, language, start = [], line[3:].strip(), number + 1
        elif line.startswith("    ") or (indented and not line.strip()):
            if indented is None:
                indented, start = [], number
            indented.append(line[4:])
        elif indented is not None:
            yield start, "indented", "\n".join(indented) + "\n"
            indented = None
    if indented:
        yield start, "indented", "\n".join(indented) + "\n"


def is_conf(language, text):
    first = next((line for line in text.split("\n") if line.strip() and not line.startswith("#")), "")
    return language in ("yaml", "yml") or (language in ("", "indented") and re.match(rf"({'|'.join(SECTIONS)}):( |$)", first))


def checked(text, page):
    """What check says of it that is not forgiven."""
    secret = os.path.join(folder, "secret")
    with open(secret, "w") as file:
        file.write("x")
    text = re.sub(r"\$\{file:[^}]*\}", "${file:" + secret + "}", text)
    names = set(re.findall(r"\$\{([A-Z_0-9]+)\}", text))
    values = {name: {"URL": "postgresql://a:b@127.0.0.1/x"}.get(name.rsplit("_", 1)[-1], "x") for name in names}
    path = os.path.join(folder, "block.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    with open(page, encoding="utf-8") as file:
        made_there = set(re.findall(r"plugin new (\w+)", file.read()))  # by the reader, who follows the page
    made = json.loads(run("check", "--offline", "--json", "-c", path, environment=values).stdout)
    found = []
    for problem in made["problems"]:
        said = f"{problem.get('line', 0)}: {problem.get('path', '')}: {problem['level']}: {problem['message']}"
        gone = re.search(r"there is no plugin (\w+/\w+)", said)
        if gone and gone.group(1).split("/")[1] in made_there:
            continue
        if problem["level"] == "error" and not re.search("|".join(FORGIVEN), said) and not (gone and gone.group(1) not in BUILT and gone.group(1) in text_of_docs()):
            found.append(said)
    return found


def text_of_docs():
    """Plugins that have a page, whether this build has them or not."""
    return {name[:-3].replace("-", "/", 1) for name in os.listdir(SOURCE + "/docs/conf")}


def every_yaml_block_is_taken():
    wrong, tried = [], 0
    for page in pages():
        for line, language, text in blocks(page):
            if not is_conf(language, text):
                continue
            tried += 1
            wrong += [f"{os.path.relpath(page, SOURCE)}:{line}: {said}" for said in checked(text, page)]
    print("\n".join("        " + line for line in wrong))
    check(tried > 25, f"only {tried} blocks were found")
    check(not wrong, f"{len(wrong)} mistakes in {tried} blocks")
    print(f"        {tried} blocks")


# ---- command lines ----

def command_lines():
    """(where, the words behind `backplane`) of blocks, of code within a line, and of the comments of sample confs and scripts."""
    for page in pages():
        where = os.path.relpath(page, SOURCE)
        for line, language, text in blocks(page):
            if language in ("c", "sql", "yaml"):
                continue
            text = text.replace("\\\n", " ")
            for offset, words in enumerate(text.split("\n")):
                for match in re.finditer(r"(?:^|[\s;&|(])(?:\S*/)?backplane ([^;|&()#]+)", words):
                    yield f"{where}:{line + offset}", match.group(1)
        with open(page, encoding="utf-8") as file:
            text = re.sub(r"```.*?```", lambda m: "\n" * m.group(0).count("\n"), file.read(), flags=re.S)
        for match in re.finditer(r"`backplane ([^`]+)`", text):
            yield f"{where}:{text[:match.start()].count(chr(10)) + 1}", match.group(1).replace("\n", " ")
    for name in sorted(os.listdir(SOURCE + "/conf")):
        with open(os.path.join(SOURCE, "conf", name), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                for match in re.finditer(r"^#.*?\bbackplane (?=-|[a-z]+ -)(.+)", line):
                    yield f"conf/{name}:{number}", re.split(r"\s{2,}", match.group(1))[0]


def wrong_with(table, words):
    """Empty when the table takes these words."""
    if words[:1] == ["fibers"]:  # of gdb
        return ""
    if words and words[0].startswith("-"):
        if words[0] in ("-V", "--version", "-h", "--help", "-t"):
            return ""
        words = ["serve"] + words
    if not words or words[0].isupper():
        return ""
    names = [c for c in table if c["name"].split()[0] == words[0]]
    if not names:
        return f"there is no command {words[0]}"
    command = next((c for c in names if len(c["name"].split()) == 2 and c["name"].split()[1] in words), names[0])
    options = {option["name"]: option["has_value"] for c in (names if len(words) == 1 else [command]) for option in c["options"]}
    left, at = [], 1
    while at < len(words):
        word = words[at].strip("[]")
        name, _, value = word.partition("=")
        at += 1
        if word in ("--help", "-h", "...", "OPTION...") or word.isdigit():
            continue
        if not name.startswith("-") or name == "-":
            left.append(word)
        elif name not in options:
            return f"{command['name']} has no option {name}"
        elif options[name] and not value:
            if at == len(words) or words[at].startswith("-"):
                return f"{name} has no value"
            at += 1
    if len(command["name"].split()) == 2 and command["name"].split()[1] in left:
        left.remove(command["name"].split()[1])
    if left and not command["arguments"] and left != ["data"] and not (len(words) == 2 and len(names) > 1):
        return f"{command['name']} takes no words: {left}"
    return ""


def conf_with_all_commands():
    """Apps bring commands."""
    made = conf(folder)
    made["app"]["journal"] = {"storage": "main", "vector": "docs", "embed": "main"}
    path = os.path.join(folder, "commands.yaml")
    with open(path, "w") as file:
        json.dump(made, file)
    return path


def every_command_line_is_one():
    table = json.loads(run("help", "--json", "-c", conf_with_all_commands()).stdout)
    wrong, tried = [], 0
    for where, line in command_lines():
        line = re.sub(r"\s(>|<|2>).*", "", line)
        try:
            words = shlex.split(line)
        except ValueError:
            words = line.split()
        tried += 1
        said = wrong_with(table, words)
        if said:
            wrong.append(f"{where}: backplane {line}: {said}")
    print("\n".join("        " + line for line in wrong))
    check(tried > 40, f"only {tried} command lines were found")
    check(not wrong, f"{len(wrong)} of {tried} command lines are none")
    print(f"        {tried} command lines")


try:
    run_tests([every_yaml_block_is_taken, every_command_line_is_one])
finally:
    shutil.rmtree(folder)
