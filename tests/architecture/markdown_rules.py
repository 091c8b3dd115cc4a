"""Rules on documentation: links lead somewhere, and a decision is one page of a known form."""

import re
from collections.abc import Iterator, Mapping
from posixpath import dirname, join, normpath
from urllib.parse import unquote, urlsplit

from tests.architecture.tree import SourceFile

DECISION_LINES = 80
DECISION_FILE = re.compile(r"docs/decisions/\d{4}-[a-z0-9-]+\.md$")
DECISION_PARTS = ("Context", "Decision", "Rejected", "Enforced by")
DECISION_INDEX = "docs/decisions/README.md"

_CODE = re.compile(r"^(```|~~~).*?^\1\s*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
# [text](target "title"), ![picture](target), and [label]: target
_LINK = re.compile(
    r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE
)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The fragments that headings can be reached by, as the usual renderers make them."""
    found: dict[str, int] = {}
    result = set()
    for heading in _HEADING.findall(
        re.sub(r"^(```|~~~).*?^\1\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    ):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        result.add(slug if slug not in found else f"{slug}-{found[slug]}")
        found[slug] = found.get(slug, 0) + 1
    return result


def links(text: str) -> Iterator[str]:
    for inline, reference in _LINK.findall(_CODE.sub("", text)):
        yield inline or reference


def broken_links(file: SourceFile, files: Mapping[str, SourceFile]) -> Iterator[str]:
    """Relative links whose file or heading is not in the project."""
    folders = {parent for path in files for parent in _parents(path)}
    for link in links(file.text):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = normpath(join(dirname(file.path), unquote(parts.path))) if parts.path else file.path
        if target not in files and target not in folders:
            yield f"{file.path}: the link {link} leads nowhere"
        elif parts.fragment and target.endswith(".md") and parts.fragment not in anchors(files[target].text):
            yield f"{file.path}: {target} has no heading #{parts.fragment}"


def _parents(path: str) -> Iterator[str]:
    while path := dirname(path):
        yield path


def decisions(files: Mapping[str, SourceFile]) -> Iterator[str]:
    """Breaches by the pages in docs/decisions/."""
    index = files[DECISION_INDEX].text if DECISION_INDEX in files else ""
    numbers: dict[str, str] = {}
    for path, file in files.items():
        if not path.startswith("docs/decisions/"):
            continue
        if len(file.lines) > DECISION_LINES:
            yield f"{path}: {len(file.lines)} lines; a decision is one page, at most {DECISION_LINES}"
        if path in (DECISION_INDEX, "docs/decisions/template.md"):
            continue
        name = path.rsplit("/", 1)[-1]
        if not DECISION_FILE.match(path):
            yield f"{path}: a decision is called NNNN-what-it-says.md"
            continue
        if other := numbers.get(name[:4]):
            yield f"{path}: has the number of {other}"
        numbers[name[:4]] = name
        if f"]({name})" not in index:
            yield f"{path}: is not listed in {DECISION_INDEX}"
        for part in DECISION_PARTS:
            if f"\n## {part}\n" not in file.text:
                yield f"{path}: lacks the part '## {part}'"
