"""The files that the checks look at: what is tracked, and what would be tracked next."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class SourceFile:
    """A file with its path from the project's root, in slashes."""

    path: str
    content: bytes

    @cached_property
    def text(self) -> str:
        """The content, or nothing for a binary file."""
        return "" if b"\0" in self.content else self.content.decode("utf-8", errors="replace")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def is_python(self) -> bool:
        return self.path.endswith(".py")

    @property
    def is_product(self) -> bool:
        """Whether it is part of the package that is shipped."""
        return self.path.startswith("src/muster/")

    @property
    def module(self) -> str:
        """The dotted name of a file of the package: ``muster.sync.service``."""
        parts = self.path.removeprefix("src/").removesuffix(".py").split("/")
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def project_files(root: Path = PROJECT) -> list[SourceFile]:
    """Tracked files and untracked ones that are not ignored, as they are on disk now."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    names = sorted({name for name in listing.stdout.decode().split("\0") if name})
    return [
        SourceFile(name, (root / name).read_bytes())
        for name in names
        # A file deleted but not yet committed is listed still.
        if (root / name).is_file()
    ]


def sample(path: str, text: str) -> SourceFile:
    """A file that exists only to show that a check can fail."""
    return SourceFile(path, text.encode())
