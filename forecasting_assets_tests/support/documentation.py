"""Pages of the documentation, whose examples tests run."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def snippets(page: Path, *languages: str) -> list[str]:
    """Return the fenced blocks of a page in one of the languages."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [text for language, text in blocks if language in languages]
