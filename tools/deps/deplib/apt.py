# SPDX-License-Identifier: GPL-2.0-only
"""A private apt: own sources, lists and state below the cache.

It gives packages of suites that the machine has not configured (backports, the
sources of trixie) without touching /etc/apt or the system's package database.
The mirror is the one the system is configured for, signatures are checked by
apt against Debian's own keyring, and it never installs: it only downloads.

A version, once resolved, is written to pins.json, so that image, headers and
sources stay together and a warm cache starts no apt at all. refresh() forgets
the pins.
"""
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from . import cache

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
RELEASE = "bookworm"
# The release whose source package of Bochs is recent enough; sources only.
SOURCES_ONLY = "trixie"


def _stanza_uris(text):
    """(uri, suites) of each entry of a deb822 sources file."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = {}
        for line in stanza.splitlines():
            if line.startswith("#") or ":" not in line or line[:1].isspace():
                continue
            key, value = line.split(":", 1)
            fields[key.lower()] = value.split()
        if fields.get("enabled", ["yes"])[0] in ("no", "false"):
            continue
        for uri in fields.get("uris", []):
            yield uri, fields.get("suites", [])


def _line_uris(text):
    """(uri, suites) of each entry of a one-line sources file."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", line)
        if match:
            yield match.group(1), [match.group(2)]


def mirrors():
    """(archive URI, security URI or None) as the system is configured."""
    archive = security = None
    etc = Path("/etc/apt")
    files = [etc / "sources.list"]
    files += sorted((etc / "sources.list.d").glob("*.list"))
    files += sorted((etc / "sources.list.d").glob("*.sources"))
    for path in files:
        if not path.is_file():
            continue
        parse = _stanza_uris if path.suffix == ".sources" else _line_uris
        for uri, suites in parse(path.read_text()):
            for suite in suites:
                if suite.endswith("-security") or "/updates" in suite:
                    security = security or uri
                elif suite in (RELEASE, "stable", "oldstable", "trixie"):
                    archive = archive or uri
    if not archive:
        raise cache.Failure(
            "no Debian archive is configured below /etc/apt; add one for "
            + RELEASE + " and try again")
    return archive, security


def _configure(base):
    """Write sources and apt.conf of the private apt below BASE."""
    for part in ("etc", "state/lists/partial", "cache/archives/partial"):
        (base / part).mkdir(parents=True, exist_ok=True)
    archive, security = mirrors()
    entries = [("deb deb-src", archive,
                f"{RELEASE} {RELEASE}-updates {RELEASE}-backports"),
               ("deb-src", archive, SOURCES_ONLY)]
    if security:
        entries.append(("deb deb-src", security, RELEASE + "-security"))
    (base / "etc/tandem.sources").write_text("\n".join(
        f"Types: {types}\nURIs: {uri}\nSuites: {suites}\n"
        f"Components: main\nSigned-By: {KEYRING}\n"
        for types, uri, suites in entries))
    # An empty package database: dependencies are complete, whatever the
    # machine has installed.
    (base / "state/status").touch()
    (base / "etc/apt.conf").write_text(f"""\
Dir::State "{base}/state/";
Dir::State::status "{base}/state/status";
Dir::Cache "{base}/cache/";
Dir::Etc::sourcelist "{base}/etc/tandem.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Get::List-Cleanup "false";
APT::Sandbox::User "root";
Acquire::Retries "3";
Acquire::Languages "none";
""")


def _fields(stanza):
    """The fields that are worth pinning of a stanza of `apt-cache show`."""
    fields = {}
    for line in stanza.splitlines():
        name, _, value = line.partition(":")
        if name in ("Package", "Version", "Depends", "SHA256"):
            fields[name] = value.strip()
    return fields


class Apt:
    """The private apt. Every method holds the lock for as long as apt runs."""

    def __init__(self):
        self.base = cache.root() / "apt"
        self.pins_file = self.base / "pins.json"
        self.env = dict(os.environ, LC_ALL="C",
                        APT_CONFIG=str(self.base / "etc/apt.conf"))

    def _run(self, *command, cwd=None, check=True):
        done = subprocess.run(command, env=self.env, cwd=cwd, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              check=False)
        if check and done.returncode:
            raise cache.Failure("%s failed:\n%s" % (
                " ".join(command), (done.stderr or done.stdout).strip()))
        return done.stdout

    def _update(self):
        """Fetch the package lists; the caller holds the lock."""
        cache.say("fetching Debian's package lists")
        _configure(self.base)
        self._run("apt-get", "-q", "update")
        (self.base / "updated").touch()

    def _ready(self):
        if not (self.base / "updated").exists():
            self._update()

    def _pins(self):
        try:
            return json.loads(self.pins_file.read_text())
        except FileNotFoundError:
            return {}

    def _pin(self, key, value):
        pins = self._pins()
        pins[key] = value
        scratch = self.pins_file.with_suffix(".new")
        scratch.write_text(json.dumps(pins, indent=1, sort_keys=True) + "\n")
        os.rename(scratch, self.pins_file)

    def refresh(self):
        """Forget resolved versions and fetch the lists anew."""
        with cache.locked("apt"):
            self._update()
            self.pins_file.unlink(missing_ok=True)

    def show(self, package, suite=RELEASE):
        """Fields of PACKAGE's entry in SUITE's list, as a dict. Pinned."""
        return self.show_all([package], suite)[package]

    def show_all(self, packages, suite=RELEASE):
        """{package: its fields}, with one call of apt for what is not pinned."""
        def key(package):
            return f"show {package}/{suite}"

        pins = self._pins()
        missing = [each for each in packages if key(each) not in pins]
        if missing:
            with cache.locked("apt"):
                self._ready()
                # Without a release the newest of stable, updates and security
                # is wanted, which is apt's default.
                text = self._run(
                    "apt-cache", "show", "--no-all-versions",
                    *(each if suite == RELEASE else f"{each}/{suite}"
                      for each in missing))
                for stanza in text.split("\n\n"):
                    fields = _fields(stanza)
                    if "Package" in fields:
                        self._pin(key(fields["Package"]), fields)
            pins = self._pins()
        for package in packages:
            if key(package) not in pins:
                raise cache.Failure(f"Debian {suite} has no package {package}")
        return {package: pins[key(package)] for package in packages}

    def download(self, package, suite=RELEASE):
        """Path of PACKAGE's .deb, downloaded and checked by apt if missing."""
        return self.download_all([package], suite)[0]

    def download_all(self, packages, suite=RELEASE):
        """Paths of the .debs of PACKAGES, in their order."""
        try:
            return self._download_all(packages, suite)
        except cache.Failure:
            # The mirror may have moved on from the pinned versions: once more
            # with new lists.
            self.refresh()
            return self._download_all(packages, suite)

    def _download_all(self, packages, suite):
        store = cache.root() / "debs"
        store.mkdir(exist_ok=True)
        paths = {}
        for package, fields in self.show_all(packages, suite).items():
            version = fields["Version"].replace(":", "%3a")
            paths[package] = store / f"{package}_{version}.deb"
        missing = [each for each in packages if not paths[each].exists()]
        if missing:
            cache.say("downloading " + " ".join(missing))
            with cache.locked("apt"), tempfile.TemporaryDirectory(
                    prefix=".new-", dir=store) as scratch:
                self._ready()
                versions = self.show_all(missing, suite)
                self._run("apt-get", "-q", "download",
                          *(f"{each}={versions[each]['Version']}"
                            for each in missing), cwd=scratch)
                for deb in Path(scratch).glob("*.deb"):
                    package, version, _ = deb.name.split("_")
                    os.rename(deb, store / f"{package}_{version}.deb")
        return [paths[each] for each in packages]

    def closure(self, packages, suite=RELEASE):
        """PACKAGES and all they depend on, as a sorted list of names."""
        key = "closure %s/%s" % (" ".join(sorted(packages)), suite)
        known = self._pins().get(key)
        if known:
            return known
        with cache.locked("apt"):
            self._ready()
            text = self._run("apt-get", "-q", "-s", "--no-install-recommends",
                             "-t", suite, "install", *packages)
            names = sorted(re.findall(r"^Inst (\S+)", text, re.M))
            self._pin(key, names)
            return names

    def source(self, package, suite, wanted):
        """Directory with the files of source PACKAGE whose names match WANTED.

        Only those files are downloaded (a partial mirror may lack others) and
        each is checked against the SHA256 of apt's signed index.
        """
        return cache.made(f"sources/{package}-{suite}",
                          lambda new: self._source(package, suite, wanted, new),
                          f"downloading the source of {package} ({suite})")

    def _source(self, package, suite, wanted, new):
        new.mkdir()
        with cache.locked("apt"):
            self._ready()
            text = self._run("apt-get", "-q", "source", "--download-only",
                             "--print-uris", f"{package}/{suite}", cwd=new)
            found = re.findall(r"^'([^']+)' (\S+) \d+ (SHA256:\S+)", text,
                               re.M)
            files = [entry for entry in found if re.search(wanted, entry[1])]
            if not files:
                raise cache.Failure(f"source {package} of {suite}: nothing "
                                    f"matches {wanted} in {found}")
            for uri, name, digest in files:
                self._run("/usr/lib/apt/apt-helper", "download-file", uri,
                          str(new / name), digest)
