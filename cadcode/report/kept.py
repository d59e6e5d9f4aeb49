"""Protection of files that a result must not replace: edited programs, and files of other programs.

The header of a program contains a checksum of the program. `<stem>.json` contains the SHA-256 of the other files.
"""

import hashlib
import json
import re
from pathlib import Path

from cadcode.errors import KeptError

CHECKSUM = re.compile(r"^# Checksum: ([0-9a-f]{16})\b.*\n", re.MULTILINE)
HEADER = 4096  # number of characters searched for the checksum


def checksum_line(rest: str) -> str:
    """Checksum comment for a program whose other lines are `rest`."""
    return f"# Checksum: {_digest(rest.encode('utf-8', 'replace'))} (cadcode keeps this file once you edit it)\n"


def check_replaceable(folder: Path, stem: str, suffixes) -> None:
    """Raise KeptError if <stem>.<suffix> exists for one of the suffixes and differs from the file cadcode wrote."""
    written = _written(folder / f"{stem}.json")
    for suffix in suffixes:
        path = folder / f"{stem}.{suffix}"
        if path.is_file() and (reason := _foreign(path, suffix, written)):
            raise KeptError(path, reason)


def hashes(files: dict[str, bytes]) -> dict[str, str]:
    """SHA-256 of contents by suffix, as stored in <stem>.json."""
    return {suffix: hashlib.sha256(data).hexdigest() for suffix, data in files.items()}


def _written(path: Path) -> dict | None:
    """File hashes in the JSON file of an earlier run; None if cadcode did not write it."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    files = content.get("files") if isinstance(content, dict) else None
    return files if isinstance(files, dict) else None


def _foreign(path: Path, suffix: str, written: dict | None) -> str | None:
    """Reason why a file must not be replaced, or None."""
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
    checksum = CHECKSUM.search(text[:HEADER])
    if checksum is None:
        return "was not written by cadcode"
    rest = text[: checksum.start()] + text[checksum.end() :]
    return None if _digest(rest.encode("utf-8", "replace")) == checksum[1] else "was edited since cadcode wrote it"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
