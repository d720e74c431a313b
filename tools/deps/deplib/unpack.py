# SPDX-License-Identifier: GPL-2.0-only
"""Unpacking .debs and source tarballs into a directory."""
import subprocess

from . import cache


def run(*command, stdin=subprocess.DEVNULL, **options):
    """Run COMMAND and return its output, which is only shown if it fails."""
    try:
        done = subprocess.run(command, stdin=stdin, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, **options)
    except FileNotFoundError as error:
        raise cache.missing_program(error.filename) from error
    if done.returncode:
        raise cache.Failure("%s failed:\n%s" % (
            " ".join(map(str, command)), done.stdout[-4000:]))
    return done.stdout


def deb(path, into):
    """Unpack the .deb at PATH below INTO."""
    into.mkdir(parents=True, exist_ok=True)
    run("dpkg-deb", "-x", str(path), str(into))


def deb_members(path, into, *members):
    """Unpack only MEMBERS (names as in `dpkg-deb -c`, patterns) below INTO."""
    into.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(path)],
                          stdout=subprocess.PIPE) as data:
        run("tar", "-x", "-C", str(into), "--wildcards", *members,
            stdin=data.stdout)


def tarball(path, into, *members, strip=1):
    """Unpack MEMBERS (all, if none) of a tarball, less STRIP path components."""
    into.mkdir(parents=True, exist_ok=True)
    run("tar", "-xf", str(path), "-C", str(into), "--wildcards",
        f"--strip-components={strip}", *members)
