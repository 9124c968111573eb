"""Count words, bare decimals, tables and habits of the prose of each page.

Run: python docs/measure_pages.py [PAGE ...]
"""

import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent

# A page that has to be longer: lists to look a name up in, not to read through.
LISTS = {"api", "constants", "decisions", "glossary", "whats_new"}
MOST_WORDS = 1200

HIDDEN = ("code-block", "image", "figure", "toctree", "math", "doctest", "raw")


def read_prose(text):
    """Return the text of a page without code, directives and links' targets."""
    lines, inside = [], None
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if inside is not None and (not line.strip() or indent > inside):
            continue
        inside = None
        directive = re.match(r"\s*\.\. (\S+?)::", line)
        hidden = directive and directive[1] in HIDDEN
        if hidden or re.match(r"\s*(>>>|\$ )", line):
            inside = indent
            continue
        if line.rstrip().endswith("::") and not directive:
            inside = indent
        if re.match(r"\s*(:\S+:|\.\. )", line) or re.match(r"\s*[=\-~^]{3,}\s*$", line):
            continue
        lines.append(line)
    prose = re.sub(r":[\w:]+:`([^<`]*?)\s*(<[^>]*>)?`", r"\1", "\n".join(lines))
    return re.sub(r"``.*?``|`[^`]*`", "CODE", prose, flags=re.DOTALL)


def measure(text):
    """Return the counts of a page by name."""
    prose = read_prose(text)
    words = re.findall(r"[A-Za-z][\w'-]*", prose)
    starts = re.findall(r"(?:^|[.!?]\s+|\n\n\s*(?:\* )?)(Of|What)\s", prose)
    tables = len(re.findall(r"\.\. (?:list-|csv-)?table::", text))
    tables += (
        len(re.findall(r"^=+( +=+)+\s*$\n(?!\s*$)", text, flags=re.MULTILINE)) // 2
    )
    return {
        "words": len(words),
        "decimals": len(re.findall(r"(?<![\w.])\.\d+", prose)),
        "numbers": len(re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", prose)),
        "tables": tables,
        "of/what": len(starts),
        "what": sum(word.lower() == "what" for word in words),
    }


def main(names):
    """Print the counts of the pages, and their sums."""
    pages = [DOCS / f"{name}.rst" for name in names] or sorted(DOCS.glob("*.rst"))
    if not names:
        pages.append(DOCS.parent / "README.md")
    total = {}
    for page in pages:
        counts = measure(page.read_text())
        total = {name: total.get(name, 0) + counts[name] for name in counts}
        long = counts["words"] > MOST_WORDS and page.stem not in LISTS
        row = ", ".join(f"{name} {count}" for name, count in counts.items())
        print(f"{page.name:28} {row}{'  too long' if long else ''}")
    print(
        f"{'all':28} " + ", ".join(f"{name} {count}" for name, count in total.items())
    )


if __name__ == "__main__":
    main(sys.argv[1:])
