"""Documentation keeps its promises: links lead somewhere, decisions are one page."""

import pytest

from tests.architecture.markdown_rules import anchors, broken_links, decisions
from tests.architecture.tree import SourceFile, project_files, sample


def by_path(*files: SourceFile) -> dict[str, SourceFile]:
    return {file.path: file for file in files}


def test_every_link_leads_somewhere() -> None:
    files = by_path(*project_files())
    pages = [file for file in files.values() if file.path.endswith(".md")]
    assert pages
    assert [line for page in pages for line in broken_links(page, files)] == []


def test_every_decision_is_one_page_in_the_known_form() -> None:
    assert list(decisions(by_path(*project_files()))) == []


OTHER = sample("docs/other.md", "# One thing\n\n## Two: `code` & [more](x.md)\n\n## One thing\n")


@pytest.mark.parametrize(
    "text",
    [
        "[a](missing.md)\n",
        "[a](../docs/missing.md)\n",
        "![p](p.png)\n",
        "[a]: missing.md\n",
        "[a](other.md#three)\n",
        "[a](#nowhere)\n",
        "[a](../../outside.md)\n",
        '[a](missing.md "title")\n',
        "[a](<missing.md>)\n",
    ],
)
def test_a_broken_link_is_found(text: str) -> None:
    page = sample("docs/page.md", text)
    assert len(list(broken_links(page, by_path(page, OTHER)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "[a](other.md)\n",
        "[a](../docs/other.md#two-code--more)\n",
        "[a](other.md#one-thing-1)\n",
        "[a](.)\n",
        "[a](https://example.com/missing.md)\n",
        "[a](mailto:a@example.com)\n",
        "# Here\n[a](#here)\n",
        "`[a](missing.md)`\n",
        "```\n[a](missing.md)\n```\n",
        "[a](../docs/)\n",
    ],
)
def test_a_good_link_passes(text: str) -> None:
    page = sample("docs/page.md", text)
    assert list(broken_links(page, by_path(page, OTHER))) == []


def test_headings_in_code_are_no_anchors() -> None:
    assert anchors("# A\n```\n# B\n```\n") == {"a"}


PARTS = "# 1. X\n\n## Context\n\n## Decision\n\n## Rejected\n\n## Enforced by\n"
INDEX = sample("docs/decisions/README.md", "[1](0001-x.md)\n")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("docs/decisions/0001-x.md", PARTS + "line\n" * 80),
        ("docs/decisions/0001-x.md", PARTS.replace("Rejected", "Other")),
        ("docs/decisions/0002-unlisted.md", PARTS),
        ("docs/decisions/notes.md", PARTS),
        ("docs/decisions/README.md", "line\n" * 81),
    ],
)
def test_a_decision_out_of_form_is_found(path: str, text: str) -> None:
    assert len(list(decisions(by_path(INDEX, sample(path, text))))) == 1


def test_two_decisions_with_one_number_are_found() -> None:
    index = sample("docs/decisions/README.md", "[1](0001-x.md) [1](0001-y.md)\n")
    pages = [sample(f"docs/decisions/0001-{name}.md", PARTS) for name in "xy"]
    assert len(list(decisions(by_path(index, *pages)))) == 1
