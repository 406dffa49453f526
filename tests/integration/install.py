"""install.py - a package's install: DESTDIR, moved to another prefix, then the default conf and one request.

    install.py CMAKE BUILD LIBDIR INCLUDEDIR
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

from backplane_test import check, check_equal, run_tests, wait_until

CMAKE, BUILD, LIBDIR, INCLUDEDIR = sys.argv[1:5]
folder = tempfile.mkdtemp(prefix="backplane-test-")
staged = os.path.join(folder, "staged")
prefix = os.path.join(folder, "moved", "to", "here")
program = os.path.join(prefix, "bin", "backplane")
environment = {key: value for key, value in os.environ.items() if not key.startswith("BACKPLANE")}


def destdir_takes_every_file_and_nothing_is_written_elsewhere():
    done = subprocess.run([CMAKE, "--install", BUILD, "--prefix", "/never/made"], env=dict(environment, DESTDIR=staged),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check_equal(done.returncode, 0, done.stdout)
    check_equal(os.listdir(staged), ["never"], "what stands in DESTDIR")
    check(not os.path.exists("/never/made"), "the prefix itself was written, beside DESTDIR")
    os.makedirs(os.path.dirname(prefix))
    os.rename(os.path.join(staged, "never", "made"), prefix)
    for path in ["bin/backplane", "lib/backplane/plugins/storage/sqlite.so", "share/backplane/conf.schema.json",
                 "share/backplane/template/common/CMakeLists.txt", "share/backplane/docs/conf.md", "etc/backplane/backplane.yaml",
                 INCLUDEDIR + "/backplane/plugin.h", LIBDIR + "/libbackplane-testhost.a",
                 LIBDIR + "/pkgconfig/backplane-sdk.pc", LIBDIR + "/cmake/backplane-sdk/backplane-sdk-config.cmake"]:
        check(os.path.exists(os.path.join(prefix, path)), f"{path} is not installed")


def the_program_lists_the_plugins_beside_itself():
    installed = glob.glob(os.path.join(prefix, "lib/backplane/plugins/*/*.so"))
    done = subprocess.run([program, "plugins"], env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    check(len(installed) > 10, f"only {len(installed)} plugins are installed")
    check_equal(done.stdout.count("\n"), len(installed), f"plugins that are listed, of those in lib/backplane/plugins: {done.stdout}")


def a_linked_name_of_the_program_finds_them_too():
    link = os.path.join(folder, "linked")
    os.symlink(program, link)
    done = subprocess.run([link, "plugins"], env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    check("sqlite" in done.stdout, f"through a symbolic link: {done.stdout}")


def the_sdk_finds_its_headers_from_its_own_place():
    searched = dict(environment, PKG_CONFIG_PATH=os.path.join(prefix, LIBDIR, "pkgconfig"))
    flags = subprocess.run(["pkg-config", "--cflags", "backplane-sdk"], env=searched, stdout=subprocess.PIPE, text=True, check=True)
    include = re.search(r"-I(\S+)", flags.stdout).group(1)
    check_equal(os.path.realpath(include), os.path.realpath(os.path.join(prefix, INCLUDEDIR)), "the headers of pkg-config")
    script = os.path.join(folder, "find.cmake")
    with open(script, "w") as file:
        file.write('cmake_minimum_required(VERSION 3.22)\nproject(find LANGUAGES C)\nfind_package(backplane-sdk REQUIRED)\n'
                   'if(NOT EXISTS "${BACKPLANE_SDK_INCLUDE_DIR}/backplane/plugin.h")\n  message(FATAL_ERROR "no headers")\nendif()\n')
    os.makedirs(os.path.join(folder, "find"))
    os.rename(script, os.path.join(folder, "find", "CMakeLists.txt"))
    done = subprocess.run([CMAKE, "-S", os.path.join(folder, "find"), "-B", os.path.join(folder, "find", "build"),
                           f"-Dbackplane-sdk_DIR={prefix}/{LIBDIR}/cmake/backplane-sdk"], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    check_equal(done.returncode, 0, done.stdout)


def it_serves_the_conf_that_is_installed_with_it():
    log = os.path.join(folder, "log")
    started = dict(environment, LISTEN="127.0.0.1:0", DATA_DIR=os.path.join(folder, "data"),
                   DOCUMENTS_DIR=os.path.join(prefix, "share/backplane/docs"))
    with open(log, "wb") as out:
        server = subprocess.Popen([program, "serve"], env=started, cwd=folder, stdout=out, stderr=out)
    try:
        def port():
            with open(log) as file:
                text = file.read()
            check(server.poll() is None, f"the server ended with {server.returncode}: {text}")
            found = re.search(r"127\.0\.0\.1:([1-9][0-9]*)", text)
            return found and '"ready"' in text and int(found.group(1))
        url = f"http://127.0.0.1:{wait_until(port, 30, 'the installed server does not say that it is ready')}"
        with urllib.request.urlopen(url + "/health", timeout=10) as answer:
            check("components" in json.load(answer), "/health has no components")
    finally:
        server.send_signal(signal.SIGTERM)
        status = server.wait(30)
    check_equal(status, 0, "how the server ended")


try:
    run_tests([destdir_takes_every_file_and_nothing_is_written_elsewhere, the_program_lists_the_plugins_beside_itself,
               a_linked_name_of_the_program_finds_them_too, the_sdk_finds_its_headers_from_its_own_place,
               it_serves_the_conf_that_is_installed_with_it])
finally:
    shutil.rmtree(folder, ignore_errors=True)
