"""Numbers of a glTF 2.0 file: container, buffers, buffer views and accessors (specification, sections 3.6 and 4)."""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

import numpy as np

from cadcode.geometry.cleaning import Refused
from cadcode.geometry.io.scene import MOST_TRIANGLES

COMPONENTS = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")
UNPACKED = "export it without compression"


@dataclass(frozen=True, eq=False)
class Document:
    """The JSON `tree` of a file, its `folder`, the binary chunk of a GLB, and buffers `loaded` by their address."""

    tree: dict
    folder: Path
    binary: np.ndarray | None = None
    loaded: dict = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Accessor:
    """Rows of numbers: `base` (N, W) or None for zeros; `sparse` is (row numbers (S,), rows (S, W)) or None."""

    count: int
    width: int
    dtype: np.dtype
    normalized: bool
    base: np.ndarray | None
    sparse: tuple | None

    @property
    def work(self) -> int:
        """Rows that reading it goes through."""
        return self.count + (len(self.sparse[0]) if self.sparse else 0)

    def rows(self, wanted):
        """Rows (R, W) for ascending row numbers `wanted` (R,); normalized integers become -1 to 1."""
        values = np.zeros((len(wanted), self.width), self.dtype) if self.base is None else self.base[wanted]
        if self.sparse is not None and len(wanted):
            numbers, changed = self.sparse
            at = np.minimum(np.searchsorted(wanted, numbers), len(wanted) - 1)
            hit = wanted[at] == numbers
            values[at[hit]] = changed[hit]
        if self.normalized and self.dtype.kind in "iu":
            values = np.maximum(values / np.iinfo(self.dtype).max, -1.0)
        return values

    def all(self):
        return self.rows(np.arange(self.count))


def open_document(path: Path) -> Document:
    """GLB by its first bytes, else JSON; Refused for what is neither, truncated or of another version."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head[:4] == b"glTF" and len(head) == 12:
        text, binary = glb_chunks(path, head)
    elif path.suffix.lower() == ".glb":
        raise Refused("is not a GLB file (it does not start with glTF)")
    else:
        text, binary = path.read_bytes(), None
    tree = parse_json(text)
    version = tree["asset"].get("version") if isinstance(tree.get("asset"), dict) else None
    if version is not None and str(version).split(".")[0] != "2":
        raise Refused(f"is glTF {version}; only 2.0 is read", "export it as glTF 2.0")
    return Document(tree, path.parent, binary)


def glb_chunks(path: Path, head: bytes):
    """(JSON text, binary chunk or None) of a GLB: a header of 12 bytes, then chunks of length, type and content."""
    version, declared = (int.from_bytes(head[at : at + 4], "little") for at in (4, 8))
    data = np.memmap(path, np.uint8, "r")
    if version != 2:
        raise Refused(f"is GLB of version {version}; only 2 is read", "export it as glTF 2.0")
    if len(data) < declared:
        raise Refused(f"is truncated: it declares {declared:,} bytes and holds {len(data):,}")
    chunks, at = [], 12
    while at + 8 <= declared and len(chunks) < 2:
        length = int.from_bytes(data[at : at + 4].tobytes(), "little")
        if at + 8 + length > declared:
            raise Refused(f"is truncated: a chunk declares {length:,} bytes, {declared - at - 8:,} follow")
        chunks.append((data[at + 4 : at + 8].tobytes(), data[at + 8 : at + 8 + length]))
        at += 8 + length
    if not chunks or chunks[0][0] != b"JSON":
        raise Refused("is a GLB file without a JSON chunk")
    return chunks[0][1].tobytes(), next((content for kind, content in chunks[1:] if kind == b"BIN\0"), None)


def parse_json(text: bytes) -> dict:
    try:
        tree = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"its JSON cannot be read ({error})") from error
    if not isinstance(tree, dict):
        raise Refused("its JSON is not glTF: it holds no object")
    return tree


def member(holder: dict, kind: str, index) -> dict:
    """The object `holder[kind][index]`; Refused where there is none."""
    items = holder.get(kind)
    known = isinstance(items, list) and type(index) is int and 0 <= index < len(items)
    if not known or not isinstance(items[index], dict):
        raise Refused(f"it refers to {kind}[{index}], which it does not hold")
    return items[index]


def members(holder: dict, kind: str) -> list:
    """All objects of `holder[kind]`, none where it is missing; Refused where it is something else."""
    items = holder.get(kind, [])
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Refused(f"its '{kind}' are not a list of objects")
    return items


def extensions(holder: dict) -> dict:
    found = holder.get("extensions", {})
    return found if isinstance(found, dict) else {}


def whole(holder: dict, key: str, default: int | None = 0) -> int:
    """The count `holder[key]`; Refused where it is not a whole number from 0 on."""
    value = holder.get(key, default)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or value < 0:
        raise Refused(f"its {key} is {str(value)[:40]}, not a whole number from 0 on")
    return value


def accessor(document: Document, index, shape: str) -> Accessor:
    """Accessor `index`, of `shape` as 'VEC3'; Refused where it has another one, no data or reaches out of its view."""
    entry = member(document.tree, "accessors", index)
    kind, count = entry.get("componentType"), whole(entry, "count", None)
    if entry.get("type") != shape or type(kind) is not int or kind not in COMPONENTS:
        raise Refused(f"accessor {index} is {entry.get('type')} of component type {kind}, not {shape}")
    dtype, width = np.dtype(COMPONENTS[kind]), WIDTHS[shape]
    base, sparse = None, None
    if "bufferView" in entry:
        base = table(document, entry, count, dtype, width, f"accessor {index}")
    elif "sparse" not in entry:
        raise Refused(f"accessor {index} has no data")
    if "sparse" in entry:
        sparse = sparse_rows(document, entry["sparse"], index, (count, dtype, width))
    return Accessor(count, width, dtype, entry.get("normalized") is True, base, sparse)


def sparse_rows(document: Document, entry, index: int, shape):
    """(row numbers (S,), rows (S, W)) that replace those of an accessor of `shape` (count, dtype, width)."""
    count, dtype, width = shape
    wrong = Refused(f"accessor {index} has a damaged sparse part")
    if count > MOST_TRIANGLES or not isinstance(entry, dict):
        raise wrong
    numbers, values = entry.get("indices"), entry.get("values")
    if not isinstance(numbers, dict) or not isinstance(values, dict):
        raise wrong
    code = whole(numbers, "componentType", None)
    if code not in COMPONENTS:
        raise wrong
    changes, kind = whole(entry, "count", None), np.dtype(COMPONENTS[code])
    rows = table(document, numbers, changes, kind, 1, f"the sparse part of accessor {index}")[:, 0]
    if kind.kind != "u" or (changes and int(rows.max()) >= count):
        raise wrong
    return rows.astype(np.int64), table(document, values, changes, dtype, width, f"the sparse part of accessor {index}")


def table(document: Document, entry: dict, count: int, dtype, width: int, name: str):
    """Rows (count, width) of a buffer view, not copied; Refused where they reach out of the view."""
    view = member(document.tree, "bufferViews", entry.get("bufferView"))
    data = view_bytes(document, entry["bufferView"])
    row, offset = dtype.itemsize * width, whole(entry, "byteOffset")
    stride = whole(view, "byteStride") or row
    if stride < row:
        raise Refused(f"{name} has rows of {row} bytes, {stride} bytes apart")
    needed = offset + stride * (count - 1) + row if count else 0
    if needed > len(data):
        raise Refused(f"{name} needs {needed:,} bytes, but its buffer view has {len(data):,}")
    return np.ndarray((count, width), dtype, data, offset if count else 0, (stride, dtype.itemsize))


def view_bytes(document: Document, index):
    """The bytes (N,) of a buffer view; Refused where it reaches out of its buffer."""
    view = member(document.tree, "bufferViews", index)
    packed = next((name for name in MESHOPT if name in extensions(view)), None)
    data = buffer_bytes(document, view.get("buffer"), packed)
    start, length = whole(view, "byteOffset"), whole(view, "byteLength", None)
    if start + length > len(data):
        raise Refused(f"buffer view {index} reaches to byte {start + length:,} of a buffer of {len(data):,}")
    return data[start : start + length]


def buffer_bytes(document: Document, index, packed: str | None = None):
    """The bytes (N,) of a buffer; `packed` is the extension that holds them otherwise where the buffer is empty."""
    entry = member(document.tree, "buffers", index)
    uri, length = entry.get("uri"), whole(entry, "byteLength", None)
    if uri is None and (index != 0 or document.binary is None):
        if packed:
            raise Refused(f"its meshes are compressed by {packed}, which is not read", UNPACKED)
        raise Refused(f"buffer {index} has no data")
    if uri is not None and not isinstance(uri, str):
        raise Refused(f"buffer {index} has an address that is not text")
    if uri is not None and uri not in document.loaded:
        document.loaded[uri] = data_uri(uri) if uri[:5].lower() == "data:" else external(document.folder, uri)
    data = document.binary if uri is None else document.loaded[uri]
    if len(data) < length:
        raise Refused(f"buffer {index} is truncated: it declares {length:,} bytes and holds {len(data):,}")
    return data[:length]


def data_uri(uri: str):
    head, _, body = uri.partition(",")
    try:
        packed = head.lower().endswith(";base64")
        content = base64.b64decode(unquote(body) if "%" in body else body) if packed else unquote_to_bytes(body)
    except ValueError as error:
        raise Refused(f"a buffer in the file is not base64 text ({error})") from error
    return np.frombuffer(content, np.uint8)


def external(folder: Path, uri: str):
    """The bytes (N,) of a file in the folder of the scene; Refused for other addresses, pipes and devices."""
    name, advice = unquote(uri), "put its .bin files into the folder of the .gltf"
    shown = name[:80]
    if "://" in name:
        raise Refused(f"its buffer '{shown}' is on another computer", advice)
    try:
        path, home = (folder / name).resolve(), folder.resolve()
        inside = path.is_relative_to(home) and not Path(name).is_absolute()
        usable = inside and path.is_file()  # a pipe or device is no regular file
        size = path.stat().st_size if usable else 0
    except (OSError, ValueError, RuntimeError) as error:
        raise Refused(f"its buffer '{shown}' cannot be opened", advice) from error
    if not inside:
        raise Refused(f"its buffer '{shown}' is outside its folder", advice)
    if not usable:
        reason = "is no regular file" if path.exists() else "does not exist"
        raise Refused(f"its buffer '{shown}' {reason}", advice)
    return np.memmap(path, np.uint8, "r") if size else np.empty(0, np.uint8)
