"""When two programs are the same one: names and publishers as they are compared. Pure.

Many names carry their version ("7-Zip 19.00 (x64)"): with it, each update would be another program.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

from muster import naming

# PostgreSQL's indexes take rows of some 2,700 bytes, and a letter may be four of them.
_NAME_KEY_LIMIT = 300
_PUBLISHER_KEY_LIMIT = 150
_VERSION_LIMIT = 100
_TEXT_LIMIT = 500
_SEARCH_LIMIT = 200

_SEPARATORS = r"[._+\-,]"
# Something numbered, and the word before it that says so.
_NUMBERED = re.compile(
    rf"(?<![\w.])(?:(?:version|release|ver|rel|v)\b\.?\s*|v\.?)?(?P<number>\d[^\W_]*(?:{_SEPARATORS}[^\W_]+)+)",
    re.IGNORECASE,
)
_SPLIT = re.compile(f"({_SEPARATORS})")
_VERSION_LEAD = re.compile(r"v(?:er(?:sion)?)?[\s.:]*(?=\d)", re.IGNORECASE)
# What a version that is taken out leaves behind.
_EMPTIED = re.compile(r"[(\[{]\s*[)\]}]")
_DOUBLED = re.compile(r"(?<=\s)([-–—:,])(?:\s+[-–—:,])+(?=\s|$)")
_DANGLING = re.compile(r"\s+[-–—:,](?=\s*(?:$|[(\[{]))|^\s*[-–—:,](?=\s)")

# "(R)" and the like say nothing but that a name is protected.
_PROTECTED = re.compile(r"[®™©℠]|\((?:r|tm)\)", re.IGNORECASE)
_IN_A_WORD = re.compile(r"[./'’](?=\S|$)")
_WORD = re.compile(r"[^\W_]+")
_LEGAL_FORMS = frozenset(
    [
        *("ab", "ag", "aps", "as", "asa", "bv", "co", "company", "corp", "corporation", "gbr", "gmbh", "inc"),
        *("incorporated", "kg", "kgaa", "kk", "limited", "llc", "llp", "lp", "ltd", "ltda", "nv", "oy"),
        *("oyj", "plc", "pte", "pty", "sa", "sarl", "sas", "se", "sl", "spa", "srl", "sro", "ug"),
    ]
)


def clean(text: str, limit: int = _TEXT_LIMIT) -> str:
    """Text from outside in one line of at most so many characters, without control characters and half
    letters, which no database takes.
    """
    if not text.isprintable():
        text = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    return " ".join(text.split())[:limit].rstrip()


def clean_version(version: str) -> str:
    """A version as it is kept; two that differ only after a hundred characters are one."""
    return clean(version, _VERSION_LIMIT)


def title_name(name: str, version: str) -> str:
    """The name without the program's own version, whole or as far as the name has it (two numbers at least:
    "SQL Server 2016" stays). A name that is nothing but a version stays, too.
    """
    whole = rest = clean(name)
    parts = _components(_VERSION_LEAD.sub("", clean_version(version), count=1))
    while (shorter := _without(rest, parts)) != rest:
        rest = shorter
    return rest if any(letter.isalpha() for letter in rest) else whole


def name_key(name: str, version: str) -> str:
    """What tells a title's name from others: without version, case, spacing and signs of protection."""
    title = title_name(name, version)
    key = naming.name_key(_PROTECTED.sub(" ", title))
    return _bounded(key or naming.name_key(title), _NAME_KEY_LIMIT)


def publisher_key(publisher: str | None) -> str:
    """What tells a publisher from others: letters and digits without case, and without the legal forms at
    the end. Empty for nobody.
    """
    folded = naming.name_key(clean(publisher or ""))
    words = _WORD.findall(_IN_A_WORD.sub("", folded))
    while len(words) > 1 and words[-1] in _LEGAL_FORMS:
        words.pop()
    return _bounded("".join(words), _PUBLISHER_KEY_LIMIT)


def search_words(search: str) -> Sequence[tuple[str, str]]:
    """The words that somebody looks for, each as names and as publishers have it: all of them are to be in
    one of the two.
    """
    words = naming.name_key(_PROTECTED.sub(" ", clean(search, _SEARCH_LIMIT))).split()
    return [(word, "".join(_WORD.findall(word))) for word in dict.fromkeys(words)]


def _without(name: str, version: Sequence[str]) -> str:
    """The name without what the first mention of the version leaves behind, or as it was."""
    for found in _NUMBERED.finditer(name):
        length = _own_length(found["number"], version)
        if length:
            before, after = name[: found.start()], name[found.start("number") + length :]
            rest = f"{before.removesuffix('-')} {after}"
            rest = _DOUBLED.sub(r"\1", _EMPTIED.sub(" ", rest))
            return " ".join(_DANGLING.sub(" ", rest).split())
    return name


def _own_length(number: str, version: Sequence[str]) -> int:
    """How many characters of something numbered are the version, or the beginning of it; 0: it is another."""
    pieces = _SPLIT.split(number)
    parts, separators = pieces[::2], [*pieces[1::2], ""]
    same = 0
    while same < min(len(parts), len(version)) and _same(parts[same], version[same]):
        same += 1
    if same < 2:
        return 0
    if same == len(version):
        # 3.0.0 is 3.0.
        while separators[same - 1] == "." and not parts[same].strip("0"):
            same += 1
    if separators[same - 1] == ".":
        return 0
    return len("".join(pieces[: 2 * same - 1]))


def _components(version: str) -> Sequence[str]:
    return _SPLIT.split(version)[::2]


def _same(one: str, other: str) -> bool:
    if one.isdecimal() and other.isdecimal():
        return one.lstrip("0") == other.lstrip("0")
    return one.casefold() == other.casefold()


def _bounded(key: str, limit: int) -> str:
    """A key that fits into an index; what is left of a longer one still tells it from others."""
    if len(key) <= limit:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{key[: limit - 16]}{digest}"
