"""CAD-Recode's model for transformers (Rukhovich et al. 2024, arXiv:2412.14042): a Qwen2 that reads points first.

Positions marked by `attention_mask == -1` take the point embeddings; everything else is Qwen2ForCausalLM. Importing
this module costs the seconds that transformers takes; `cadcode` itself decodes with `cadcode.model.nets.small`.
"""

import torch
from transformers import AutoConfig, AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from cadcode.model.checkpoints.strict import StrictlyLoaded
from cadcode.model.nets.points import FEATURES, FourierPointEncoder

POINT_MARK = -1


class CADRecodeConfig(Qwen2Config):
    model_type = "cadcode"


class CADRecode(StrictlyLoaded, Qwen2ForCausalLM):
    """`generate(input_ids, attention_mask, point_cloud)`: ids (B, 256 + n) padded on the left with one pad a point,
    attention_mask -1 on those, point_cloud (B, 256, 3) in [-1, 1], for v1 (B, 256, 6) with normals. Returns whole
    sequences, as CAD-Recode's does.
    """

    config_class = CADRecodeConfig
    _keep_in_fp32_modules_strict = ["point_encoder"]  # a list: transformers 5.0 ignores a set

    def __init__(self, config):
        super().__init__(config)
        self.point_encoder = FourierPointEncoder(config.hidden_size, getattr(config, "point_features", FEATURES))
        self.post_init()

    def prompt_embeddings(self, input_ids, attention_mask, point_cloud):
        """Token embeddings (B, L, H) with the point embeddings put in at the marked positions.

        Raises ValueError where the number of marks is not the number of points.
        """
        embeddings = self.get_input_embeddings()(input_ids)
        marks = attention_mask == POINT_MARK
        points = self.point_encoder(point_cloud)
        if marks.sum() != points.shape[0] * points.shape[1]:
            raise ValueError(f"{int(marks.sum())} positions are marked for {len(points)} x {points.shape[1]} points")
        return embeddings.masked_scatter(marks[..., None], points.to(embeddings.dtype))

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        inputs_embeds=None,
        logits_to_keep=0,
        point_cloud=None,
        **kwargs,
    ):
        # `generate` computes and passes only what is named here: without position_ids, padding shifts the positions.
        # Marks are resolved here and never reach the attention or the positions: in later steps -1 would shift them.
        if point_cloud is not None and inputs_embeds is None and attention_mask is not None:
            inputs_embeds = self.prompt_embeddings(input_ids, attention_mask, point_cloud)
            input_ids, attention_mask = None, attention_mask.abs()
        kwargs |= dict(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            logits_to_keep=logits_to_keep,
        )
        return super().forward(**kwargs)

    @torch.no_grad()
    def generate(self, input_ids=None, attention_mask=None, point_cloud=None, **kwargs):
        if point_cloud is None:
            return super().generate(input_ids, attention_mask=attention_mask, **kwargs)
        embeddings = self.prompt_embeddings(input_ids, attention_mask, point_cloud)
        out = super().generate(inputs_embeds=embeddings, attention_mask=attention_mask.abs(), **kwargs)
        new = out if isinstance(out, torch.Tensor) else out.sequences
        copies = len(new) // len(input_ids)  # num_return_sequences
        whole = torch.cat([input_ids.repeat_interleave(copies, 0), new], dim=1)
        if out is new:
            return whole
        out.sequences = whole
        return out


AutoConfig.register(CADRecodeConfig.model_type, CADRecodeConfig)
AutoModelForCausalLM.register(CADRecodeConfig, CADRecode)
