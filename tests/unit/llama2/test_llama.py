"""Our Llama against transformers', on random weights and on real ones, and GGUF files that are not what they should be.

Tests with real weights need the GGUF in data/prepared (`snakemake --cores 1 GGUF`) and are left out without it.
"""

import dataclasses
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from postproof.core import files
from postproof.core.errors import DataError, ParamsError
from postproof.llama2 import gguf_weights, tokenizer
from postproof.llama2.gqa import grouped_query_attention
from postproof.llama2.llama import Llama, LlamaConfig, Techniques, with_kv_heads
from postproof.llama2.measuring import llama_speed

TINY = LlamaConfig(
    vocabulary=40, d_model=24, layers=2, heads=6, kv_heads=2, d_head=4, d_ffn=32, context=64, rope_base=10_000.0,
    norm_eps=1e-5, tied_head=True,
)  # fmt: skip
GGUF = Path("data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf")
PROMPTS = llama_speed.read_prompts()


def tiny(config=TINY, seed=0) -> Llama:
    generator = torch.Generator().manual_seed(seed)
    model = Llama(config).requires_grad_(False)
    for name, parameter in model.named_parameters():
        spread = torch.randn(parameter.shape, generator=generator)
        parameter.copy_(1 + 0.3 * spread if name.endswith("gain") else 0.3 * spread)
    return model.double().eval()


def some_ids(batch=2, time=15, seed=1):
    return torch.randint(TINY.vocabulary, (batch, time), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kv_heads", [1, 2, 6])
@pytest.mark.parametrize("tied_head", [True, False])
def test_logits_are_those_of_transformers(kv_heads, tied_head):
    model = tiny(dataclasses.replace(TINY, kv_heads=kv_heads, tied_head=tied_head, rope_base=500.0))
    pytest.importorskip("transformers")
    expected = llama_speed.of_transformers(model)(some_ids()).logits
    # transformers takes its norms in float32, also of float64.
    torch.testing.assert_close(model(some_ids()), expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize("pieces", [[15], [1] * 15, [7, 1, 1, 6]])
def test_cached_and_uncached_logits_are_equal(pieces):
    model, ids = tiny(), some_ids()
    cache = model.cache(batch=2, positions=15)
    parts = [model(piece, cache) for piece in ids.split(pieces, dim=1)]
    torch.testing.assert_close(torch.cat(parts, dim=1), model(ids), atol=1e-12, rtol=0)
    assert cache.length == 15


@pytest.mark.parametrize("time", [1, 2, 15])
@pytest.mark.parametrize("cached", [False, True])
def test_the_last_logits_alone_are_those_of_the_whole_pass(cached, time):
    """And what a cache holds after either pass is the same: the next step needs all keys and values."""
    model, ids_BT = tiny(), some_ids(time=time)
    caches = [model.cache(2, 20) if cached else None for _ in range(2)]
    whole, last = model(ids_BT, caches[0]), model(ids_BT, caches[1], last_only=True)
    torch.testing.assert_close(last, whole[:, -1:])
    if cached:
        again = [model(some_ids(time=1, seed=9), cache) for cache in caches]
        torch.testing.assert_close(again[1], again[0])


def test_generation_is_the_likeliest_token_of_the_whole_sequence_each_time():
    model, ids = tiny(), some_ids()
    generated = model.generate(ids, steps=20)
    for _ in range(20):
        ids = torch.cat([ids, model(ids)[:, -1:].argmax(dim=-1)], dim=1)
    assert torch.equal(generated, ids[:, -20:])


def test_a_position_sees_only_itself_and_the_past():
    model, ids = tiny(), some_ids()
    changed = ids.clone()
    changed[:, 9:] = (changed[:, 9:] + 1) % TINY.vocabulary
    torch.testing.assert_close(model(ids)[:, :9], model(changed)[:, :9], atol=1e-12, rtol=0)
    assert (model(ids)[:, 9:] - model(changed)[:, 9:]).abs().max() > 0.1


def test_repeated_kv_heads_change_nothing_and_their_mean_does():
    model = tiny()
    expected = model(some_ids())
    for more in (6, 2):
        torch.testing.assert_close(with_kv_heads(model, more)(some_ids()), expected, atol=1e-12, rtol=0)
    fewer = with_kv_heads(model, 1)
    assert fewer.cache(1, 8).bytes * 2 == model.cache(1, 8).bytes
    assert (fewer(some_ids()) - expected).abs().max() > 0.1
    # Equal heads have their own mean.
    torch.testing.assert_close(with_kv_heads(with_kv_heads(fewer, 6), 1)(some_ids()), fewer(some_ids()))


def test_where_the_sequence_starts_does_not_matter():
    model = tiny()
    expected = model(some_ids())
    # The angles are float32: at position 60, an angle is off by up to 2e-6.
    torch.testing.assert_close(model.use(Techniques(first_position=45))(some_ids()), expected, atol=1e-4, rtol=0)


def test_without_rope_only_the_mask_tells_the_order_of_the_past():
    """One layer with no rotation: the last position's logits do not change when the past is shuffled."""
    model = tiny(dataclasses.replace(TINY, layers=1))
    ids = some_ids()
    shuffled = torch.cat([ids[:, :-1].flip(1), ids[:, -1:]], dim=1)
    assert (model(shuffled)[:, -1] - model(ids)[:, -1]).abs().max() > 0.01
    model.use(Techniques(rope=False))
    torch.testing.assert_close(model(shuffled)[:, -1], model(ids)[:, -1], atol=1e-12, rtol=0)


def test_each_technique_can_be_switched_off_and_on_again():
    model = tiny()
    expected = model(some_ids())
    for techniques in (Techniques(rope=False), *(Techniques(norm=norm) for norm in ("layer", "fixed", "none"))):
        assert (model.use(techniques)(some_ids()) - expected).abs().max() > 0.01
    assert torch.equal(model.use(Techniques())(some_ids()), expected)


def test_a_layer_hands_turned_queries_and_shared_keys_to_its_mix():
    model, ids, seen = tiny(), some_ids(), []
    expected = model(ids)

    def mix(q_BHTd, k_BGTd, v_BGTd):
        seen.append((tuple(q_BHTd.shape), tuple(k_BGTd.shape), tuple(v_BGTd.shape)))
        return grouped_query_attention(q_BHTd, k_BGTd, v_BGTd).transpose(1, 2).flatten(2)

    for block in model.blocks:
        block.attention.mix = mix
    assert torch.equal(model(ids), expected)
    assert seen == [((2, 6, 15, 4), (2, 2, 15, 4), (2, 2, 15, 4))] * TINY.layers
    for block in model.blocks:
        block.attention.mix = lambda q_BHTd, k_BGTd, v_BGTd: torch.zeros(2, 15, 24, dtype=torch.float64)
    assert (model(ids) - expected).abs().max() > 0.1


def test_sizes_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match="kv_heads is 4; it must divide heads, 6"):
        Llama(dataclasses.replace(TINY, kv_heads=4))
    with pytest.raises(ParamsError, match="head dimension"):
        Llama(dataclasses.replace(TINY, d_head=3))
    with pytest.raises(ValueError, match="65 positions; the model is for `context` = 64"):
        Llama(TINY)(some_ids(time=65))
    with pytest.raises(ValueError, match="must be rms, layer, fixed or none"):
        Techniques(norm="batch")


def write_gguf(path, config=TINY, architecture="llama", leave_out=(), extra=()):
    """A GGUF with the weights of tiny(config), float32; `extra` are more tensors."""
    model = tiny(config).float()
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_token_list([f"token{i}" for i in range(config.vocabulary)])
    numbers = {name: key for name, key in gguf_weights.KEYS.items() if name not in leave_out}
    for name, key in numbers.items():
        value = getattr(config, name)
        (writer.add_uint32 if isinstance(value, int) else writer.add_float32)(f"{architecture}.{key}", value)
    c, state = config, model.state_dict()
    tensors = {"token_embd": state["token_embedding.weight"], "output_norm": state["norm.gain"]}
    for i in range(c.layers):
        ours = {name.removeprefix(f"blocks.{i}."): w for name, w in state.items() if name.startswith(f"blocks.{i}.")}
        rows = [heads * c.d_head for heads in (c.heads, c.kv_heads, c.kv_heads)]
        parts = zip(("attn_q", "attn_k", "attn_v"), ours["attention.qkv.weight"].split(rows))
        parts = dict(parts) | {f"ffn_{name}": ours[f"ffn.{name}.weight"] for name in ("gate", "up", "down")}
        parts |= {"attn_output": ours["attention.out.weight"]}
        parts |= {"attn_norm": ours["attention_norm.gain"], "ffn_norm": ours["ffn_norm.gain"]}
        tensors |= {f"blk.{i}.{name}": weight for name, weight in parts.items()}
    for name in (*tensors, *extra):
        if name not in leave_out:
            writer.add_tensor(f"{name}.weight", tensors.get(name, torch.zeros(2, 2)).numpy().astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def load(path, sha256=None):
    return gguf_weights.load(gguf_weights.read(path, sha256), path)


def test_a_model_comes_back_from_its_gguf(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf")
    model = load(path, files.sha256(path))
    assert dataclasses.replace(model.config, norm_eps=1e-5) == TINY  # float32 in the file
    torch.testing.assert_close(model(some_ids()), tiny().float()(some_ids()), atol=1e-5, rtol=0)


def test_a_file_of_another_hash_is_refused(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf")
    with pytest.raises(DataError, match="another sha256"):
        load(path, "0" * 64)
    with pytest.raises(DataError, match="missing"):
        load(tmp_path / "none.gguf")


def test_a_file_that_is_cut_off_anywhere_or_no_gguf_is_refused(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf")
    content = path.read_bytes()
    short = tmp_path / "short.gguf"
    # In the header, keys, token list, tensor list and the tensors' numbers.
    for length in (0, 3, 10, 30, 200, 700, 1500, 3000, len(content) // 2, len(content) - 40):
        short.write_bytes(content[:length])
        with pytest.raises(DataError, match="not a GGUF file, or cut off"):
            load(short)
    short.write_bytes(b"PK\x03\x04" + content[4:])
    with pytest.raises(DataError, match="not a GGUF file"):
        load(short)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"architecture": "qwen2"}, "another architecture"),
        ({"leave_out": ["rope_base"]}, "lacks a key"),
        ({"leave_out": ["blk.1.ffn_up"]}, "tensors are not those of a Llama"),
        ({"extra": ["blk.0.attn_q_norm"]}, "tensors are not those of a Llama"),
    ],
)
def test_a_gguf_of_something_else_is_refused(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        load(write_gguf(tmp_path / "other.gguf", **options))


def test_a_gguf_whose_sizes_do_not_go_together_is_refused(tmp_path, monkeypatch):
    path = write_gguf(tmp_path / "tiny.gguf")
    reader = gguf_weights.read(path)
    reader.fields["llama.attention.head_count_kv"].parts[-1] = np.array([4], dtype=np.uint32)
    with pytest.raises(DataError, match="do not go together"):
        gguf_weights.config(reader, path)
    reader.fields["llama.attention.head_count_kv"].parts[-1] = np.array([3], dtype=np.uint32)
    with pytest.raises(DataError, match="another shape"):
        gguf_weights.load(reader, path)


@pytest.fixture(scope="module")
def real():
    if not GGUF.is_file():
        pytest.skip(f"no {GGUF}: `snakemake --cores 1 {GGUF}` fetches it (89 MB)")
    reader = gguf_weights.read(GGUF)
    return gguf_weights.load(reader, GGUF), tokenizer.load(reader, GGUF)


@pytest.fixture(scope="module")
def real_reference(real):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate", reason="transformers reads GGUF files with it")
    transformers.utils.logging.disable_progress_bar()
    return transformers.AutoModelForCausalLM.from_pretrained(
        GGUF.parent, gguf_file=GGUF.name, dtype=torch.float32
    ).eval()


def test_real_sizes_and_answer(real):
    model, tokens = real
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    ids = torch.tensor([tokens.encode("The capital of France is").ids])
    assert tokens.decode(model.generate(ids, 1)[0].tolist()) == " Paris"


def test_text_survives_the_tokenizer_and_digits_stand_alone(real):
    _, tokens = real
    for text in (*PROMPTS, "Naïve 日本 🎲\t\r\n  x"):
        assert tokens.decode(tokens.encode(text).ids) == text
    assert len(tokens.encode("1984").ids) == 4


@pytest.mark.parametrize(
    "prompts", [PROMPTS[::8], pytest.param(PROMPTS, marks=pytest.mark.slow)], ids=["three", "twenty"]
)
@torch.no_grad()
def test_real_logits_are_those_of_transformers(real, real_reference, prompts):
    model, tokens = real
    assert len(PROMPTS) == 20
    for prompt in prompts:
        ids = torch.tensor([tokens.encode(prompt).ids])
        torch.testing.assert_close(model(ids), real_reference(ids).logits, atol=1e-4, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", PROMPTS)
def test_real_greedy_tokens_are_those_of_transformers_over_64_steps(real, real_reference, prompt):
    model, tokens = real
    ids = torch.tensor([tokens.encode(prompt).ids])
    assert torch.equal(model.generate(ids, 64), llama_speed.greedy(real_reference, ids, 64))
