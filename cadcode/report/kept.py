"""Files that a result may not replace: programs that somebody edited, and files of other programs.

A program carries a checksum of itself in its header. `<stem>.json` holds the SHA-256 of the other files.
"""

import hashlib
import json
import re
from pathlib import Path

from cadcode.errors import KeptError

CHECKSUM = re.compile(r"^# Checksum: ([0-9a-f]{16})\b.*\n", re.MULTILINE)
HEADER = 4096  # characters in which the checksum is looked for


def checksum_line(rest: str) -> str:
    """The comment to put into a program whose other lines are `rest`."""
    return f"# Checksum: {_digest(rest.encode('utf-8', 'replace'))} (cadcode keeps this file once you edit it)\n"


def check_replaceable(folder: Path, stem: str, suffixes) -> None:
    """KeptError where <stem>.<suffix> exists for one of the suffixes and is not as cadcode wrote it."""
    written = _written(folder / f"{stem}.json")
    for suffix in suffixes:
        path = folder / f"{stem}.{suffix}"
        if path.is_file() and (reason := _foreign(path, suffix, written)):
            raise KeptError(path, reason)


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    """SHA-256 of contents by suffix, as <stem>.json holds them."""
    return {suffix: hashlib.sha256(data).hexdigest() for suffix, data in files.items()}


def _written(path: Path) -> dict | None:
    """What the JSON file of an earlier run says of its files; None where it is none of cadcode's."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    files = told.get("files") if isinstance(told, dict) else None
    return files if isinstance(files, dict) else None


def _foreign(path: Path, suffix: str, written: dict | None) -> str | None:
    """Why a file may not be replaced, or None."""
    if suffix == "json":
        return None if written is not None else "was not written by cadcode"
    data = path.read_bytes()
    if suffix == "py":
        return _edited(data)
    if written is not None and written.get(suffix) == hashlib.sha256(data).hexdigest():
        return None
    return "was not written by cadcode, or was changed since"


def _edited(data: bytes) -> str | None:
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    found = CHECKSUM.search(text[:HEADER])
    if found is None:
        return "was not written by cadcode"
    rest = text[: found.start()] + text[found.end() :]
    return None if _digest(rest.encode("utf-8", "replace")) == found[1] else "was edited since cadcode wrote it"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
