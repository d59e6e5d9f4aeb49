"""cadrille's eyes on our own decoder: patches, tower, positions and tokens, held to transformers and to the fixture."""

import json
import shutil
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from published_models import IM_END, seeing_tokenizer
from safetensors.torch import load_file, save_file
from tiny_models import FreeLanguage

from cadcode.errors import ModelError, UsageError
from cadcode.geometry.views import scaled
from cadcode.model.checkpoints.export import export_model
from cadcode.model.checkpoints.load import load_model
from cadcode.model.engines.cpu import CpuEngine
from cadcode.model.generate import DecodeOptions, decode
from cadcode.model.hf.cadrille import Cadrille
from cadcode.model.nets.patches import GRID, PICTURE_TOKENS, SCALED, patches_of

FIXTURE = Path(__file__).parent / "fixtures" / "cadrille_tiny"
PLACE = 494  # of the fixture


@pytest.fixture(scope="module")
def expected():
    with np.load(FIXTURE / "expected_4.50.3.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file}


@pytest.fixture(scope="module")
def exact():
    return Cadrille.from_pretrained(FIXTURE, dtype=torch.float32).eval()


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(FIXTURE, tmp_path / "model")
    seeing_tokenizer().save(str(tmp_path / "model" / "tokenizer.json"))
    return tmp_path / "model"


@pytest.fixture
def seeing(folder):
    return load_model(str(folder), dtype="float32", reads="images")


def sheets(count, side=268):
    """Random pictures (side, side, 3) uint8."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def patches(count):
    return torch.from_numpy(np.stack([patches_of(scaled(sheet, SCALED)) for sheet in sheets(count)]))


class Free(FreeLanguage):
    def __init__(self, prompt, end=1):
        super().__init__(end)
        self.start_id = tuple(prompt)


# --- what goes in ----------------------------------------------------------------------------------------------------


def processor():
    """The processor of Qwen2-VL that needs no torchvision, under its names in transformers 5."""
    try:
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil as Processor
    except ImportError:
        from transformers import Qwen2VLImageProcessor as Processor
    return Processor()


@pytest.mark.parametrize("picture", [0, 1])
def test_patches_are_those_of_the_processor(picture):
    sheet = sheets(2)[picture] // (1 + picture)
    theirs = processor()(images=[sheet], return_tensors="np")
    assert theirs["image_grid_thw"].tolist() == [list(GRID)]
    ours = patches_of(scaled(sheet, SCALED))
    assert ours.dtype == np.float32 and ours.shape == (400, 1176)
    np.testing.assert_allclose(ours, theirs["pixel_values"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("grid", [(2, 8, 8), (1, 20, 20), (3, 4, 10)])
@torch.inference_mode()
def test_the_tower_is_that_of_transformers(seeing, exact, grid):
    given = torch.randn(int(np.prod(grid)), 1176, generator=torch.Generator().manual_seed(1))
    theirs = exact.model.visual(given, grid_thw=torch.tensor([grid])).pooler_output
    ours = seeing.network.visual(given[None], grid)[0]
    assert ours.shape == (np.prod(grid) // 4, 64) and theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_positions_are_those_of_transformers(seeing, exact, expected):
    ids, grid = expected["img_in_ids"].long(), torch.tensor([[2, 8, 8]])
    named = "mm_token_type_ids" in signature(exact.model.get_rope_index).parameters  # transformers 5.0 takes the ids
    kinds = dict(mm_token_type_ids=2 * (ids == PLACE)) if named else {}
    theirs, shift = exact.model.get_rope_index(ids, video_grid_thw=grid, **kinds)
    network = seeing.network
    network.grid = (2, 8, 8)
    sections = torch.arange(3).repeat_interleave(torch.tensor([2, 3, 3]))
    assert network.positions(None, ids).equal(theirs[sections, 0].T) and network.skipped == -int(shift)


# --- what comes out --------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_ids_and_logits_of_the_published_picture(seeing, expected):
    prompt, ids = expected["img_in_ids"][0].tolist(), expected["img32_ids"][0, 46:].long()
    seeing.network.grid = (2, 8, 8)
    seen = expected["pixel_values_videos"].float()[None]
    [[draft]] = decode(seeing.engine, Free(prompt), seen, DecodeOptions(max_new_tokens=33))
    assert list(draft.ids) == ids.tolist()
    logits, cache = seeing.engine.begin(seen, prompt, 33)
    for written, theirs in enumerate(expected["img32_logits_all"][0], start=1):
        torch.testing.assert_close(logits[0], theirs, rtol=0, atol=1e-3)
        logits = seeing.engine.step(ids[written - 1 : written], written, cache)


def test_a_whole_sheet_gives_the_tokens_of_transformers(seeing, exact):
    seen, prompt = patches(2), torch.tensor([seeing.language.start_id] * 2)
    theirs = exact.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        pixel_values_videos=seen.flatten(0, 1),
        video_grid_thw=torch.tensor([GRID] * 2),
        max_new_tokens=24,
        do_sample=False,
    )
    drafts = decode(seeing.engine, Free(seeing.language.start_id), seen, DecodeOptions(max_new_tokens=24))
    for [draft], row in zip(drafts, theirs[:, prompt.shape[1] :].tolist(), strict=True):
        assert list(draft.ids) == row[: len(draft.ids)] and len(set(draft.ids)) > 4


@torch.inference_mode()
def test_the_cache_and_the_batch_change_nothing(seeing):
    engine, seen, start = seeing.engine, patches(3), seeing.language.start_id
    ids = torch.randint(4, 260, (3, 8), generator=torch.Generator().manual_seed(1))
    logits, cache = engine.begin(seen, start, 8)
    for written in range(8):
        whole = engine.begin(seen[1:2], (*start, *ids[1, :written].tolist()), 0)[0]
        torch.testing.assert_close(logits[1:2], whole, atol=2e-4, rtol=1e-4)
        logits = engine.step(ids[:, written], written + 1, cache)


def test_a_picture_is_looked_at_once(seeing):
    calls = []
    seeing.network.visual.register_forward_hook(lambda *_: calls.append(1))
    decode(seeing.engine, seeing.language, patches(1), DecodeOptions("sample", candidates=3, max_new_tokens=8))
    assert calls == [1]


@torch.inference_mode()
def test_pictures_matter(seeing):
    seen = patches(2)
    first, other = seeing.engine.begin(seen, seeing.language.start_id, 0)[0]
    assert not torch.allclose(first, other, atol=0.05)


# --- prompts and loading ---------------------------------------------------------------------------------------------

SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"


def said(language) -> str:
    return language.tokenizer.decode(list(language.start_id), skip_special_tokens=False)


def test_the_prompt_of_a_picture_is_the_chat_template(seeing):
    picture = "<|vision_start|>" + "<|video_pad|>" * PICTURE_TOKENS + "<|vision_end|>"
    assert said(seeing.language) == SYSTEM + picture + "Generate cadquery code<|im_end|>\n<|im_start|>assistant\n"
    assert PICTURE_TOKENS == 100 and seeing.reads == "images" and seeing.language.end_id == IM_END


def test_the_prompt_of_a_text_holds_it_as_it_is(folder):
    language = load_model(str(folder), reads="text").language.asking("A {round} plate, 10 mm thick.")
    assert said(language) == SYSTEM + "A {round} plate, 10 mm thick.<|im_end|>\n<|im_start|>assistant\n"


def test_the_tower_is_loaded_for_pictures_only(folder, seeing):
    assert [name for name in seeing.network.state_dict() if name.startswith("visual.")]
    for reads in ("points", "text"):
        model = load_model(str(folder), reads=reads)
        assert model.reads == reads and not [name for name in model.network.state_dict() if "visual" in name]


def test_weights_saved_by_transformers_5_are_found(exact, folder, seeing, tmp_path):
    exact.save_pretrained(tmp_path / "again")
    shutil.copy(folder / "tokenizer.json", tmp_path / "again")
    again = load_model(str(tmp_path / "again"), dtype="float32", reads="images").network.state_dict()
    weights = seeing.network.state_dict()
    assert set(again) == set(weights) and all(torch.equal(again[name], weights[name]) for name in weights)


@torch.inference_mode()
def test_pictures_are_read_the_same_by_the_decoder_for_processors(folder, seeing):
    packed, logits = load_model(str(folder), reads="images").engine, []
    if not isinstance(packed, CpuEngine):
        pytest.skip("no C compiler here")
    for engine in (seeing.engine, packed):
        found, cache = engine.begin(patches(2), seeing.language.start_id, 4)
        logits.append([found] + [engine.step(torch.tensor([[5, 6], [7, 8]])[:, i], i, cache) for i in range(2)])
    expected, found = (torch.stack(each) for each in logits)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["cadcode-small", "filapro/cad-recode", "filapro/cad-recode-v1.5"])
@pytest.mark.parametrize("reads", ["images", "text"])
def test_other_models_read_neither_pictures_nor_text(name, reads):
    with pytest.raises(UsageError, match=f"{name} reads points, not {reads}; use --model maksimko123/cadrille"):
        load_model(name, reads=reads)


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


VISION = json.loads((FIXTURE / "config.json").read_text())["vision_config"]
DAMAGES = {
    "a missing key": (lambda f: change_weights(f, lambda w: w.pop("visual.blocks.1.attn.qkv.bias")), "qkv.bias"),
    "an unexpected key": (lambda f: change_weights(f, lambda w: w.update({"visual.odd": torch.ones(2)})), "visual.odd"),
    "a wrong shape": (
        lambda f: change_weights(f, lambda w: w.update({"visual.merger.ln_q.weight": torch.ones(9)})),
        "ln_q",
    ),
    "another size": (lambda f: change_config(f, vision_config=VISION | {"depth": 3}), "do not fit"),
    "no sizes": (lambda f: change_config(f, vision_config=VISION | {"depth": "deep"}), "does not describe a vision"),
    "other patches": (lambda f: change_config(f, vision_config=VISION | {"patch_size": 16}), "patch_size 16"),
    "other sections": (lambda f: change_config(f, rope_scaling={"mrope_section": [2, 3, 4]}), "mrope_section"),
    "another place": (lambda f: change_config(f, video_token_id=17), "puts pictures with token 17"),
    "a blind tokenizer": (lambda f: seeing_tokenizer("<|odd|>").save(str(f / "tokenizer.json")), "no token <|video"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_towers_are_refused_in_one_line(folder, name):
    damage, message = DAMAGES[name]
    damage(folder)
    with pytest.raises(ModelError) as refusal:
        load_model(str(folder), reads="images")
    assert message in str(refusal.value) and "\n" not in str(refusal.value) and str(folder) in str(refusal.value)


def test_what_is_exported_reads_points(seeing, tmp_path):
    with pytest.raises(UsageError, match="exported without its vision tower"):
        export_model(seeing, tmp_path / "plain")
