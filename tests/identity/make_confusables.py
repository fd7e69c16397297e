"""Write `meta_audit/identity/confusables.txt` from Unicode's security/confusables.txt.

python -m tests.identity.make_confusables path/to/confusables.txt
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from meta_audit.identity import confusables

_LINE = re.compile(r"([0-9A-F]+) ;\t((?:[0-9A-F]+ )+);")
_VERSION = re.compile(r"# Version: ([0-9.]+)")
_ONE_SHAPE = ("COPTIC ", "CHEROKEE ", "DESERET ", "OSAGE ", "OLD HUNGARIAN ")
_LETTER_I = re.compile(r"\b(?:I|IOTA)\b")


def main(source: str) -> None:
    """Keep what imitates something else than it folds to, grouped by what it looks like."""
    text = Path(source).read_text(encoding="utf-8-sig")
    version = _VERSION.search(text)
    listed = {chr(int(match[1], 16)): match[2].split() for match in _LINE.finditer(text)}
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for char, codes in (_small_letters(listed) | listed).items():
        if not char.isascii() and not confusables.UNSEEN.match(char):
            target = "".join(chr(int(code, 16)) for code in codes)
            groups[_as_read(char, target)].append(ord(char))
    lines = [
        f"{_written(map(ord, target))}: {_written(sorted(codes))}"
        for target, codes in sorted(groups.items())
    ]
    head = confusables.TABLE.read_text(encoding="ascii").partition("\n\n")[0]
    head = re.sub(r"version [0-9.]+", f"version {version[1] if version else '?'}", head, count=1)
    confusables.TABLE.write_text("\n".join([head, "", *lines, ""]), encoding="ascii")


def _written(codes: Iterable[int]) -> str:
    return " ".join(f"{code:x}" for code in codes)


def _small_letters(listed: dict[str, list[str]]) -> dict[str, list[str]]:
    """Give the small letters of scripts that write both cases alike: Unicode lists capitals."""
    alike = (char for char in listed if unicodedata.name(char, "").startswith(_ONE_SHAPE))
    return {char.lower(): listed[char] for char in alike if len(char.lower()) == 1}


def _as_read(char: str, target: str) -> str:
    """Undo two of Unicode's choices: it writes m as rn, and I as l, which ASCII keys keep."""
    target = target.replace("rn", "m")
    if target == "l" and _LETTER_I.search(unicodedata.name(char, "")):
        return "i"
    return target


if __name__ == "__main__":
    main(sys.argv[1])
