"""`from_pretrained` for the transformers classes that refuses what transformers fills with random numbers."""

from cadcode.errors import ModelError
from cadcode.model.checkpoints.load import resolve
from cadcode.model.checkpoints.weights import first_line, read_weights
from cadcode.model.nets.points import FEATURES

PROJECTION = "point_encoder.projection.weight"


class StrictlyLoaded:
    """A mixin. `key_renames` are patterns of published names and what they are called in transformers today."""

    key_renames: dict[str, str] = {}

    @classmethod
    def from_pretrained(cls, name, *args, config=None, output_loading_info=False, **kwargs):
        """As in transformers, for local folders and the hub ids of `cadcode models`. ModelError unless all weights fit.

        The width of the point encoder is that of the checkpoint: 51 features, or 54 with normals (CAD-Recode v1).
        """
        folder = resolve(str(name))
        found = read_weights(folder, lambda key: key if key == PROJECTION else None)
        config = config or cls.config_class.from_pretrained(folder)
        config.point_features = found[PROJECTION].shape[-1] if found else FEATURES
        if cls.key_renames:
            kwargs["key_mapping"] = cls.key_renames
        kwargs |= dict(config=config, output_loading_info=True, ignore_mismatched_sizes=True)  # reported, then refused
        try:
            model, info = super().from_pretrained(folder, *args, **kwargs)
        except (RuntimeError, LookupError) as e:
            raise ModelError(f"{folder}: weights do not fit the config ({first_line(e)}); install it again") from e
        if wrong := _wrong(info, model):
            raise ModelError(f"{folder}: weights do not fit the config ({', '.join(wrong[:3])}); install it again")
        return (model, info) if output_loading_info else model


def _wrong(info: dict, model) -> list[str]:
    """Weights that transformers did not find, use or fit; a tied head needs none of its own."""
    config = model.config
    ties = (getattr(part, "tie_word_embeddings", False) for part in (config, config.get_text_config()))
    tied = {"lm_head.weight"} if any(ties) else set()
    wrong = [f"{key} is missing" for key in sorted(set(info["missing_keys"]) - tied)]
    wrong += [f"{key} is unexpected" for key in sorted(info["unexpected_keys"])]
    return wrong + [f"{key[0]} has a wrong shape" for key in sorted(info["mismatched_keys"])]
