"""LZF (Lehmann's liblzf): runs of literal bytes and copies of up to 264 bytes from at most 8 KiB back."""


def unpack_lzf(packed: bytes, size: int) -> bytearray | None:
    """The `size` bytes that were `packed`; None where they do not unpack to that many."""
    out, i, end = bytearray(), 0, len(packed)
    try:
        while i < end and len(out) <= size:
            control = packed[i]
            if control < 32:  # control + 1 literal bytes
                out += packed[i + 1 : i + control + 2]
                i += control + 2
                continue
            length = (control >> 5) + 2
            i += 1
            if length == 9:
                length += packed[i]
                i += 1
            back = ((control & 31) << 8) + packed[i] + 1
            i += 1
            start = len(out) - back
            if start < 0:
                return None
            if back >= length:
                out += out[start : start + length]
            else:  # the copy overlaps what it writes: it repeats
                out += (out[start:] * (length // back + 1))[:length]
    except IndexError:  # the last copy is cut off
        return None
    return out if len(out) == size else None
