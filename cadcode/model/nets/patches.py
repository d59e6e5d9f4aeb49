"""A picture as Qwen2-VL's vision tower takes it: normalised and cut into patches; numpy is enough."""

import numpy as np

PATCH, MERGED, FRAMES = 14, 2, 2  # pixels a side; patches a side of what becomes one token; frames a patch covers
SCALED = 280  # pixels a side of the picture: a sheet of 268 pixels, in the nearest multiple of PATCH * MERGED
GRID = (1, SCALED // PATCH, SCALED // PATCH)  # patches over time, down and across
PICTURE_TOKENS = (SCALED // (PATCH * MERGED)) ** 2
MEAN = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)  # CLIP's (Radford et al. 2021, arXiv:2103.00020)
DEVIATION = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)


def patches_of(picture: np.ndarray) -> np.ndarray:
    """Patches (400, 1176) float32 of a picture (280, 280, 3) uint8, which is sent as a video of one frame.

    Patches that become one token follow each other; a patch is (3 colours, 2 equal frames, 14, 14), flat.
    """
    image = (picture.astype(np.float32) / 255 - MEAN) / DEVIATION
    side = SCALED // (PATCH * MERGED)
    blocks = image.reshape(side, MERGED, PATCH, side, MERGED, PATCH, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    patches = blocks.reshape(-1, 3, 1, PATCH, PATCH).repeat(FRAMES, axis=2)
    return np.ascontiguousarray(patches.reshape(len(patches), -1))
