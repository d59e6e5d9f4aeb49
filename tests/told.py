"""A network and its language that write what they are told: for tests and for `tools/bench_batch.py soak`."""

from types import SimpleNamespace

import torch

from cadcode.model.checkpoints.spec import ModelSpec

PLAIN = ModelSpec("told", "none")


class Told:
    """A model that writes one of the given texts, the first one greedily. A text is one token, then comes the end."""

    start_id, device = 0, torch.device("cpu")

    def __init__(self, *texts: str, spec: ModelSpec = PLAIN):
        self.texts, self.end_id = texts, len(texts)
        self.engine = self.language = self
        self.spec, self.revision, self.reads = spec, "0", "points"
        self.dtype, self.attention = "auto", "sdpa"

    def begin(self, points, start, room):
        self.seen = points
        logits = torch.zeros((len(points), self.end_id + 1))
        logits[:, 0], logits[:, self.end_id] = 0.1, -torch.inf
        return logits, SimpleNamespace(select=lambda rows: SimpleNamespace(select=None))

    def step(self, ids, written, cache):
        logits = torch.full((len(ids), self.end_id + 1), -torch.inf)
        logits[:, self.end_id] = 0.0
        return logits

    def initial(self):
        return None

    def allowed(self, state):
        return None

    def advance(self, state, token):
        return None

    def close(self, ids):
        return None

    def text(self, ids):
        return self.texts[ids[0]]
