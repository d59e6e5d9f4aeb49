"""cadrille's model for transformers (Kolodiazhnyi et al. 2025, arXiv:2505.22914): a Qwen2-VL that also reads points.

The points of a row take the place of its first tokens after the left padding. Rows of points, of pictures (sent as a
video of one frame) and of text alone may be in one batch. Importing this costs the seconds that transformers takes.
"""

import torch
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

from cadcode.model.checkpoints.strict import StrictlyLoaded
from cadcode.model.nets.points import FourierPointEncoder

IMAGE, VIDEO = 1, 2  # kinds of tokens in transformers' `mm_token_type_ids`


class Cadrille(StrictlyLoaded, Qwen2VLForConditionalGeneration):
    """`generate(input_ids, attention_mask, point_clouds, is_pc)`: point_clouds (B, 256, 3) in [-1, 1], for the rows
    where is_pc (B,) is true (not given: for all). Pictures as in Qwen2-VL: pixel_values_videos (patches, 1176) and
    video_grid_thw (videos, 3); with a leading batch dimension, as in cadrille's source, is_img (B,) says whose.
    """

    config_class = Qwen2VLConfig
    key_renames = {r"^visual": "model.visual", r"^model(?!\.(language_model|visual))": "model.language_model"}
    _keep_in_fp32_modules_strict = ["point_encoder"]  # a list: transformers 5.0 ignores a set

    def __init__(self, config):
        super().__init__(config)
        self.point_encoder = FourierPointEncoder(config.get_text_config().hidden_size)
        self.post_init()

    def prompt_embeddings(self, input_ids, attention_mask, point_clouds, is_pc=None):
        """Token embeddings (B, L, H) with those of the points after the left padding of their rows.

        Raises ValueError where a row has fewer tokens than points.
        """
        embeddings = self.get_input_embeddings()(input_ids)
        chosen = torch.ones_like(input_ids[:, 0], dtype=torch.bool) if is_pc is None else is_pc.bool()
        if not chosen.any():
            return embeddings
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        rows, lengths, count = chosen.nonzero(), mask.sum(1)[chosen], point_clouds.shape[1]
        if (lengths < count).any():
            raise ValueError(f"a row of {int(lengths.min())} tokens has no place for {count} points")
        columns = (input_ids.shape[1] - lengths)[:, None] + torch.arange(count, device=input_ids.device)  # (rows, P)
        points = self.point_encoder(point_clouds[chosen]).to(embeddings.dtype)
        return embeddings.index_put((rows.expand_as(columns), columns), points)

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        inputs_embeds=None,
        pixel_values_videos=None,
        video_grid_thw=None,
        mm_token_type_ids=None,
        logits_to_keep=0,
        point_clouds=None,
        is_pc=None,
        is_img=None,
        **kwargs,
    ):
        # `generate` computes and passes only what is named here: without position_ids, padding shifts the positions.
        cache = kwargs.get("cache", kwargs.get("past_key_values"))  # its name since transformers 5.24, and before
        first = cache is None or cache.get_seq_length() == 0
        if first and inputs_embeds is None and point_clouds is not None:
            inputs_embeds = self.prompt_embeddings(input_ids, attention_mask, point_clouds, is_pc)
        kwargs |= dict(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            logits_to_keep=logits_to_keep,
            pixel_values_videos=pixel_values_videos,
            video_grid_thw=video_grid_thw,
            mm_token_type_ids=mm_token_type_ids,
        )
        return super().forward(**self._with_pictures(kwargs, is_img))

    @torch.no_grad()
    def generate(self, input_ids=None, is_img=None, **kwargs):
        return super().generate(**self._with_pictures(dict(kwargs, input_ids=input_ids), is_img))

    def _with_pictures(self, inputs: dict, is_img) -> dict:
        """The inputs, pictures as Qwen2-VL takes them, with the kinds of tokens: positions are wrong without."""
        pixels, grid = inputs.get("pixel_values_videos"), inputs.get("video_grid_thw")
        if pixels is not None and pixels.ndim == 3:
            inputs |= dict(pixel_values_videos=pixels[is_img].flatten(0, 1), video_grid_thw=grid[is_img])
        ids, pictured = inputs.get("input_ids"), grid is not None or inputs.get("image_grid_thw") is not None
        if pictured and ids is not None and inputs.get("mm_token_type_ids") is None:
            kinds = IMAGE * (ids == self.config.image_token_id) + VIDEO * (ids == self.config.video_token_id)
            inputs["mm_token_type_ids"] = kinds
        return inputs
