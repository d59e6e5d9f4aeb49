"""Vocabulary of a checkpoint: rows of the embedding and of the head belong to pieces, not to ids.

A folder carries its pieces in tokenizer.json, a training checkpoint under `pieces`. Loading lays the rows out by the
pieces of this version, so weights survive a longer or a reordered vocabulary.
"""

import json
from pathlib import Path

import torch

from cadcode.errors import ModelError
from cadcode.model.checkpoints.weights import unreadable
from cadcode.program.tokens import PIECES, RELEASED

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
SEED, NOISE = 0, 0.02  # new rows; a fresh model has the same noise
SHOWN = 3  # pieces in a message


def read_pieces(folder: Path, size: int | None) -> tuple[str, ...]:
    """Pieces of a folder's checkpoint in the order of its rows; `size` is the vocabulary size that its config states.

    Without a tokenizer.json the pieces are those of the first release. ModelError where the number of pieces is not
    `size`, or where the file is damaged.
    """
    path = folder / "tokenizer.json"
    try:
        ids = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"] if path.is_file() else RELEASED
        pieces = tuple(sorted(ids, key=ids.__getitem__)) if isinstance(ids, dict) else tuple(ids)
    except (OSError, ValueError, LookupError, TypeError) as e:
        raise unreadable(folder, e) from e
    if size != len(pieces):
        raise ModelError(
            f"{folder}: a vocabulary of {size} is not that of the tokenizer, {len(pieces)} pieces; install it again"
        )
    return pieces


def map_rows(
    weights: dict[str, torch.Tensor], stored: tuple[str, ...], source: Path, pieces: tuple[str, ...] = PIECES
) -> None:
    """Lay out the rows (V, H) of the embedding and of the head in `weights` by `pieces`, from the order of `stored`.

    A row of a piece that is not stored is the mean of the stored rows plus seeded noise of standard deviation 0.02.
    ModelError where a stored piece is unknown here or the number of rows is not that of the stored pieces.
    """
    if unknown := missing(stored, pieces):
        raise ModelError(
            f"{source}: its vocabulary has pieces that this version does not know ({shown(unknown)}); "
            "use the version of cadcode it was made with"
        )
    if stored == pieces:
        return
    for name in {EMBEDDING, HEAD} & weights.keys():
        if len(weights[name]) != len(stored):
            raise ModelError(
                f"{source}: {name} has {len(weights[name])} rows for {len(stored)} pieces; install it again"
            )
        weights[name] = _mapped(weights[name], stored, pieces)


def _mapped(rows: torch.Tensor, stored: tuple[str, ...], pieces: tuple[str, ...]) -> torch.Tensor:
    places = {piece: place for place, piece in enumerate(stored)}
    noise = torch.randn((len(pieces), rows.shape[1]), generator=torch.Generator().manual_seed(SEED)) * NOISE
    mapped = (rows.float().mean(0) + noise).to(rows.dtype)
    kept = [(row, places[piece]) for row, piece in enumerate(pieces) if piece in places]
    here, there = torch.tensor(kept).T
    mapped[here] = rows[there]
    return mapped


def untrained(stored: tuple[str, ...], pieces: tuple[str, ...] = PIECES) -> tuple[str, ...]:
    """Pieces that a checkpoint lacks: their rows are new and must not be written before they are trained."""
    return missing(pieces, stored)


def missing(wanted: tuple[str, ...], pieces: tuple[str, ...]) -> tuple[str, ...]:
    there = set(pieces)
    return tuple(piece for piece in wanted if piece not in there)


def check_trained(lacking: tuple[str, ...], name: str) -> None:
    """ModelError where a model lacks pieces: without the grammar it could write them."""
    if lacking:
        raise ModelError(f"{name}: its vocabulary lacks pieces of this version ({shown(lacking)}); train it further")


def shown(pieces) -> str:
    """The first of the pieces for a message, and how many more there are."""
    named = ", ".join(repr(piece) for piece in pieces[:SHOWN])
    return named if len(pieces) <= SHOWN else f"{named} and {len(pieces) - SHOWN} more"
