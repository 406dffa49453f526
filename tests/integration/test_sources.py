"""test_sources.py - a watched folder is followed: files that come, change and go; what lies outside is not read."""
import os
import shutil
import tempfile

from backplane_test import Server, check, check_equal, run_tests, wait_until

folder = tempfile.mkdtemp(prefix="backplane-test-")
outside = os.path.join(folder, "outside")
watched = os.path.join(folder, "watched")
server = Server(app={"sources": [watched], "scan": "1s"})


def write(path, text, mode="w"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, mode) as file:
        file.write(text)


def found_by(word):
    answer = server.post("/api/v1/search", {"query": word, "mode": "words"})
    return [hit["document"] for hit in answer.json["hits"]] if answer.status == 200 else []


def files_that_are_there_are_indexed_at_the_start():
    first = os.path.join(watched, "first.md")
    wait_until(lambda: found_by("aardvark") == [first], 8, "the first file is not found")
    hit = server.search("aardvark")[0]
    check_equal((hit["title"], hit["heading"]), ("Animals", "Animals"), "title and heading of a Markdown file")


def a_new_file_in_a_new_folder_is_found():
    path = os.path.join(watched, "deep/er/new.txt")
    write(path, "A buffalo.")
    wait_until(lambda: found_by("buffalo") == [path], 8, "the new file is not found")


def a_changed_file_is_indexed_again():
    write(os.path.join(watched, "first.md"), "# Animals\n\nA chameleon sits there now.\n")
    wait_until(lambda: found_by("chameleon"), 8, "the new text is not found")
    check_equal(found_by("aardvark"), [], "the old text")


def a_deleted_file_disappears():
    os.unlink(os.path.join(watched, "deep/er/new.txt"))
    wait_until(lambda: not found_by("buffalo"), 8, "the deleted file is still found")


def what_lies_outside_is_not_read():
    write(os.path.join(watched, "later.md"), "dromedary")
    wait_until(lambda: found_by("dromedary"), 8, "a file written after the links is not found")
    for word in ("elephant", "flamingo"):
        check_equal(found_by(word), [], "what a symbolic link points to")


def a_file_that_is_not_text_is_left_out_and_the_rest_goes_on():
    write(os.path.join(watched, "binary.md"), b"\xff\xfe\x00gazelle", "wb")
    write(os.path.join(watched, "good.md"), "hippopotamus")
    wait_until(lambda: found_by("hippopotamus"), 8, "the good file is not found")
    check_equal(found_by("gazelle"), [], "the file that is not text")
    wait_until(lambda: any("binary.md" in line.get("message", "") for line in server.log_lines()), 3, "the log does not name the file")


write(os.path.join(watched, "first.md"), "# Animals\n\nAn aardvark.\n")
write(os.path.join(watched, "picture.png"), "aardvark")
write(os.path.join(outside, "secret.md"), "elephant")
write(os.path.join(outside, "file.md"), "flamingo")
os.symlink(outside, os.path.join(watched, "link-to-folder"))
os.symlink(os.path.join(outside, "file.md"), os.path.join(watched, "link.md"))
try:
    with server:
        run_tests([
            files_that_are_there_are_indexed_at_the_start,
            a_new_file_in_a_new_folder_is_found,
            a_changed_file_is_indexed_again,
            a_deleted_file_disappears,
            what_lies_outside_is_not_read,
            a_file_that_is_not_text_is_left_out_and_the_rest_goes_on,
        ])
finally:
    shutil.rmtree(folder)
