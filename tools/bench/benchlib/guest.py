# SPDX-License-Identifier: GPL-2.0-only
"""Builds what the Linux guests start with: process 1, and for the workloads
that are programs of Debian's an archive with those."""
import os
import subprocess

from deplib import programs
from lablib import cpio

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
INPUTS = os.path.join(HERE, "inputs")
_PROGRAMS = (
    ("perl-base", ["usr/bin/perl"]),
    ("tcc", ["usr/bin/tcc"]),
    ("apache2-bin", ["usr/sbin/apache2",
                     "usr/lib/apache2/modules/mod_authz_core.so",
                     "usr/lib/apache2/modules/mod_mpm_prefork.so",
                     "usr/lib/apache2/modules/mod_mpm_worker.so",
                     # Wanted by threads that end; linked with nothing.
                     "lib/x86_64-linux-gnu/libgcc_s.so.1"]),
)
_DATA = (
    ("perl-base", ["usr/lib/x86_64-linux-gnu/perl-base/strict.pm",
                   "usr/lib/x86_64-linux-gnu/perl-base/warnings.pm"]),
)
# Apache's kinds of servers: file, module, how many to start with, the rest.
_SERVERS = (
    ("processes.conf", "prefork", 4,
     "MaxRequestWorkers 4\nMinSpareServers 1\nMaxSpareServers 8\n"),
    ("threads.conf", "worker", 1,
     "ThreadsPerChild 8\nThreadLimit 8\nMaxRequestWorkers 8\n"
     "MinSpareThreads 1\nMaxSpareThreads 16\n"),
)
_FUNCTIONS = 150


def build(path):
    """Process 1 as the file PATH; a list of the command that failed, or []."""
    sources = [os.path.join(HERE, "guest", name)
               for name in ("macro.c", "work.c", "programs.c")]
    command = ["gcc", "-O2", "-Wall", "-static", "-s", "-o", path, *sources]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    return command if done.returncode else []


def _source():
    """C to compile: the same each time, of what C programs are made of."""
    parts = ["typedef unsigned long u64;\n"
             "struct node { struct node *next; u64 key; int value[4]; };\n"]
    for i in range(_FUNCTIONS):
        parts.append(f"""\
static int find_{i}(struct node *list, u64 key, int more)
{{
\tint sum = {i}, at;
\tfor (at = 0; list && at < {i + 3}; at++, list = list->next) {{
\t\tif (list->key == key * {i * 7 + 1}ul)
\t\t\treturn list->value[at & 3] + more;
\t\tswitch ((list->key ^ at) & 7) {{
\t\tcase 0: sum += list->value[0] << {i % 13}; break;
\t\tcase 3: sum -= list->value[1] / {i % 5 + 2}; break;
\t\tcase 5: sum ^= more * {i + 11}; break;
\t\tdefault: sum += at ? list->value[2] : -more;
\t\t}}
\t}}
\treturn sum > {i * 3} && more != {i} ? sum : {i} - sum;
}}
""")
    calls = " + ".join(f"find_{i}(list, {i}, {i})" for i in range(_FUNCTIONS))
    parts.append(f"int all(struct node *list) {{ return {calls}; }}\n")
    return "".join(parts)


def _base(init):
    archive = cpio.Archive()
    archive.directory("dev")
    archive.device("dev/console", 0o020000, 5, 1)
    archive.device("dev/null", 0o020000, 1, 3, 0o666)
    with open(init, "rb") as program:
        archive.file("init", program.read(), 0o755)
    return archive


def initrd(init, path):
    """The archive with process 1 and the programs, as the file PATH."""
    archive = _base(init)
    archive.directory("tmp", 0o1777)
    archive.device("dev/urandom", 0o020000, 1, 9, 0o666)
    have = set()
    for package, names in _PROGRAMS:
        for host, name in programs.files(package, names):
            # The guest's /lib is a link.
            if name.startswith("/lib/"):
                name = "/usr" + name
            if name not in have:
                have.add(name)
                with open(host, "rb") as data:
                    archive.file(name, data.read(), 0o755)
    for package, names in _DATA:
        for name in names:
            archive.copy(os.path.join(programs.tree(package), name), name)
    archive.symlink("lib", "usr/lib")
    archive.file("etc/passwd", b"nobody:x:65534:65534::/:/bin/false\n")
    archive.file("etc/group", b"nogroup:x:65534:\n")
    archive.file("bench/input.c", _source().encode())
    archive.file("bench/page.html",
                 ("<html>" + "All is well. " * 300 + "</html>\n").encode())
    with open(os.path.join(INPUTS, "managed.pl"), "rb") as script:
        archive.file("bench/managed.pl", script.read())
    with open(os.path.join(INPUTS, "apache.conf"), encoding="ascii") as text:
        template = text.read()
    for name, mpm, servers, more in _SERVERS:
        archive.file(f"bench/{name}", template.replace("@MPM@", mpm)
                     .replace("@SERVERS@", str(servers))
                     .replace("@MORE@", more).encode())
    with open(path, "wb") as out:
        out.write(archive.data())
