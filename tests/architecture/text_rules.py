"""Rules on any file: nothing hidden, nothing secret, nothing of one machine.

Forbidden words are put together from pieces here, so that this file obeys its own rules.
"""

import re
from collections.abc import Iterator

from tests.architecture.tree import SourceFile

# Bidirectional controls let a reader see other code than the compiler does (CVE-2021-42574).
BIDI_CONTROLS = frozenset(map(chr, [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]))

REGISTRY_WORDS = (
    ".".join(["pypi", "org"]),
    ".".join(["files", "pythonhosted", "org"]),
    ".".join(["registry", "npmjs", "org"]),
    ".".join(["registry", "yarnpkg", "com"]),
    ".".join(["deb", "debian", "org"]),
    "-".join(["", "", "index", "url"]),
    "-".join(["", "", "extra", "index", "url"]),
    "-".join(["", "", "find", "links"]),
)
# A lock file of npm names the address that each package came from.
RESOLVED_ADDRESS = re.compile(r'"resolved"\s*:\s*"[a-z+]+:|\bresolved\s+"https?:')
LOCK_FILE = re.compile(r"(^|/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml)$")

MACHINE_FOLDERS = "|".join(["work", "farm", "root", "home/[a-z]", "Users/[A-Za-z]"])
MACHINE_PATH = re.compile(rf"(?<![\w.~}}*-])/(?:{MACHINE_FOLDERS})[^\s\"'`)]*/?")
MACHINE_FOLDER_ONLY = re.compile(r"/(?:work|farm|root)(?!/)")

SECRET_SHAPES = (
    re.compile("-----BEGIN " + r"[A-Z ]*PRIVATE KEY-----"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    re.compile(r"\bpypi-[A-Za-z0-9_-]{50,}"),
)
SECRET_FILE = re.compile(
    r"(^|/)(\.env(\.(?!example$)[^/]*)?|id_(rsa|ecdsa|ed25519)|[^/]*\.(pem|key|p12|pfx)|\.netrc|\.pypirc)$"
)
FORBIDDEN_FILE = re.compile(r"(^|/)uv\.lock$")


def bidi_controls(file: SourceFile) -> Iterator[str]:
    for number, line in enumerate(file.lines, 1):
        if found := BIDI_CONTROLS.intersection(line):
            codes = ", ".join(f"U+{ord(character):04X}" for character in sorted(found))
            yield f"{file.path}:{number}: bidirectional control character {codes}"


def registry_addresses(file: SourceFile) -> Iterator[str]:
    for number, line in enumerate(file.lines, 1):
        for word in REGISTRY_WORDS:
            if word in line:
                yield f"{file.path}:{number}: names a package registry ({word})"
        if LOCK_FILE.search(file.path) and RESOLVED_ADDRESS.search(line):
            yield f"{file.path}:{number}: a resolved download address"


def machine_paths(file: SourceFile) -> Iterator[str]:
    for number, line in enumerate(file.lines, 1):
        for found in MACHINE_PATH.finditer(line):
            if not MACHINE_FOLDER_ONLY.fullmatch(found.group()):
                yield f"{file.path}:{number}: a path of one machine ({found.group()})"


def secrets(file: SourceFile) -> Iterator[str]:
    if SECRET_FILE.search(file.path):
        yield f"{file.path}: a file of this name holds secrets and is never committed"
    for number, line in enumerate(file.lines, 1):
        if any(shape.search(line) for shape in SECRET_SHAPES):
            yield f"{file.path}:{number}: looks like a secret"


def forbidden_files(file: SourceFile) -> Iterator[str]:
    if FORBIDDEN_FILE.search(file.path):
        yield f"{file.path}: names a registry's host; requirements/ is the lock"


def line_ends(file: SourceFile) -> Iterator[str]:
    if "\r\n" in file.text:
        yield f"{file.path}: Windows line ends"
    if file.text and not file.text.endswith("\n"):
        yield f"{file.path}: no line end at the end of the file"


RULES = (bidi_controls, registry_addresses, machine_paths, secrets, forbidden_files, line_ends)
