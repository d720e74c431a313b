# SPDX-License-Identifier: GPL-2.0-only
"""What a run adds to the base initramfs: files, module, command."""
import os
import shlex
import tempfile
from pathlib import Path

from deplib.cache import Failure

from . import artefacts, kmods, packages
from .cpio import Archive

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def split_file(spec):
    """(host path, guest path) of a --file HOSTPATH[:GUESTPATH]."""
    host, _, guest = spec.partition(":")
    if not os.path.exists(host):
        raise Failure(f"--file {spec}: {host} does not exist")
    if not guest:
        guest = "/root/" + os.path.basename(os.path.normpath(host))
    elif not guest.startswith("/"):
        guest = "/root/" + guest
    if guest.endswith("/"):
        guest += os.path.basename(os.path.normpath(host))
    return host, os.path.normpath(guest)


def _search_path(guests):
    directories = ["/root"]
    for guest in guests:
        if os.path.dirname(guest) not in directories:
            directories.append(os.path.dirname(guest))
    return ":".join(directories + [SYSTEM_PATH])


def _stripped(module):
    """Bytes of MODULE as they are loaded: less to copy and to relocate."""
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "stripped.ko"
        kmods.strip(module, target)
        return target.read_bytes()


def overlay(options, module, interactive):
    """Archive bytes for OPTIONS; MODULE is the .ko to load, or None.

    INTERACTIVE gives a shell on the console instead of the command.
    """
    archive = Archive()
    guests = []
    for spec in options.file:
        host, guest = split_file(spec)
        archive.copy(os.path.realpath(host), guest)
        guests.append(guest)
    config = {"path": _search_path(guests),
              "module_args": options.module_args or "",
              "quiet": "yes" if options.count else "",
              "symbols": "yes" if options.profile else "",
              "interactive": "yes" if interactive else ""}
    if module:
        archive.file("/lab/tandem.ko", _stripped(module))
        config["module"] = "/lab/tandem.ko"
    # One word is a line of shell, several are a command and its arguments.
    words = options.command
    if len(words) == 1:
        words = ["/bin/sh", "-c", words[0]]
    archive.file("/lab/argv", b"".join(os.fsencode(word) + b"\0"
                                       for word in words))
    archive.file("/lab/config", "".join(
        f"{name}={shlex.quote(value)}\n"
        for name, value in config.items()).encode())
    return archive.data()


def archives(options, module, interactive):
    """All archives of a run, in the order the kernel must see them."""
    parts = [artefacts.base_initramfs().read_bytes()]
    if options.package:
        parts.append(packages.archive(options.package))
    if options.kmod:
        parts.append(kmods.Modules(options.kernel).archive(options.kmod))
    parts.append(overlay(options, module, interactive))
    return parts
