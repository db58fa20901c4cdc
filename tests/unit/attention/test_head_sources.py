"""Attention read from a GGUF Llama, from folders in the hub's layout and from race checkpoints; and what is refused.

All models are tiny and random; transformers writes its folders here. With the real GGUF in data/prepared one more test
runs.
"""

import argparse
import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch

from postproof.attention.heads import hooks, hub_model, llama_model, pretrained_runs, race_model, race_runs, sources
from postproof.core import files
from postproof.core.errors import ArtefactError, DataError, ParamsError
from postproof.llama2.llama import Llama, LlamaConfig
from postproof.mixtral.draws import initial_decoder
from postproof.mixtral.model import Decoder
from postproof.mixtral.settings import ModelSizes

TINY = LlamaConfig(
    vocabulary=40, d_model=24, layers=2, heads=6, kv_heads=2, d_head=4, d_ffn=32, context=64, rope_base=10_000.0,
    norm_eps=1e-5, tied_head=True,
)  # fmt: skip
SIZES = ModelSizes(
    d_model=24, heads=3, layers=2, sequence=24, dense_ffn=32, experts=4, expert_ffn=8, top_k=2
)  # fmt: skip
WORDS = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran"]
SENTENCES = ["the cat sat on a mat", "the dog ran", "a cat ran on the mat"]
T = 10
SETTINGS = '{"positions": 10, "reach": 2, "example_sentence": 2}'
GGUF = Path("data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf")


def tiny_llama() -> Llama:
    generator = torch.Generator().manual_seed(0)
    model = Llama(TINY).requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def read_all(model, ids, real=None):
    seen = []
    with hooks.weights_handed_on(model, real, seen.append), torch.no_grad():
        logits = model(ids)
    return logits, seen


def ids_of(vocabulary, batch=2, time=T):
    return torch.randint(vocabulary, (batch, time), generator=torch.Generator().manual_seed(1))


# Our own models.


def test_reading_leaves_the_llama_as_it_computes():
    """The weights handed on are those that make its logits; and afterwards the model is its own again."""
    model, ids, last_seen = tiny_llama(), ids_of(TINY.vocabulary), []
    with torch.no_grad():
        before = model(ids)
        logits, seen = read_all(model, ids)
        torch.testing.assert_close(logits, before, atol=1e-4, rtol=1e-5)
        assert [tuple(weights.shape) for weights in seen] == [(2, TINY.heads, T, T)] * TINY.layers
        assert torch.equal(model(ids), before)
        with hooks.weights_handed_on(model, None, last_seen.append):
            torch.testing.assert_close(model(ids, last_only=True), before[:, -1:], atol=1e-4, rtol=1e-5)
        assert all(map(torch.equal, last_seen, seen))
    assert all(block.attention.mix is None for block in model.blocks)


@pytest.mark.parametrize("arm", ["dense", "moe"])
def test_reading_leaves_the_decoder_as_it_computes(arm):
    torch.manual_seed(0)
    model, ids = Decoder(arm, SIZES, 30).eval(), ids_of(30)
    with torch.no_grad():
        before = model(ids)
    logits, seen = read_all(model, ids)
    torch.testing.assert_close(logits, before, atol=1e-5, rtol=1e-5)
    assert len(seen) == SIZES.layers


def test_an_error_gives_the_layers_back():
    model = tiny_llama()
    with pytest.raises(ZeroDivisionError):
        with hooks.weights_handed_on(model, None, lambda weights: 1 / 0):
            model(ids_of(TINY.vocabulary))
    assert all(block.attention.mix is None for block in model.blocks)


def test_llama_weights_are_transformers_own():
    """An independent reference, with and without a mask; weights are permuted to its layout of rotation."""
    from postproof.llama2.measuring import llama_speed

    model = tiny_llama().double()
    theirs = llama_speed.of_transformers(model)
    theirs.set_attn_implementation("eager")
    ids, real = ids_of(TINY.vocabulary), torch.arange(T) < torch.tensor([[4], [T]])
    for mask in (None, real):
        _, seen = read_all(model, ids, mask)
        with torch.no_grad():
            attentions = theirs(ids, attention_mask=None if mask is None else mask.long(),
                                output_attentions=True).attentions  # fmt: skip
        for ours, reference in zip(seen, attentions):
            # The library takes the softmax in float32.
            torch.testing.assert_close(ours, reference.double(), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("family", ["llama", "decoder"])
def test_real_rows_depend_neither_on_padding_nor_on_its_mask(family):
    """Causal: what stands behind a token cannot reach it. Padding rows do depend on both."""
    torch.manual_seed(0)
    model = tiny_llama() if family == "llama" else Decoder("dense", SIZES, TINY.vocabulary).eval()
    ids, n = ids_of(TINY.vocabulary, batch=1), 6
    real = (torch.arange(T) < n)[None]
    other = torch.where(real, ids, (ids + 7) % TINY.vocabulary)
    _, seen = read_all(model, ids)
    _, with_other = read_all(model, other)
    _, masked = read_all(model, ids, real)
    for a, b, c in zip(seen, with_other, masked):
        assert torch.equal(a[:, :, :n], b[:, :, :n])
        torch.testing.assert_close(a[:, :, :n], c[:, :, :n], atol=1e-6, rtol=0)
        assert (c[..., n:] == 0).all()
    assert not torch.allclose(seen[-1][:, :, n:], with_other[-1][:, :, n:])
    assert not torch.allclose(seen[-1][:, :, n:], masked[-1][:, :, n:])


def write_gguf(path: Path, architecture="llama", pad=None, eos=1) -> Path:
    """The tiny Llama with a byte-level tokenizer of single letters, which no merge joins."""
    model = tiny_llama()
    writer = gguf.GGUFWriter(path, architecture)
    tokens = ["<end>", "<turn>", "\u0120", *map(chr, range(ord("a"), ord("z") + 1)), ".", "at", "th"]
    tokens += [f"<{index}>" for index in range(TINY.vocabulary - len(tokens))]
    for key, value in {"embedding_length": TINY.d_model, "block_count": TINY.layers, "context_length": TINY.context,
                       "attention.head_count": TINY.heads, "attention.head_count_kv": TINY.kv_heads,
                       "rope.dimension_count": TINY.d_head, "feed_forward_length": TINY.d_ffn}.items():  # fmt: skip
        writer.add_uint32(f"{architecture}.{key}", value)
    writer.add_float32(f"{architecture}.rope.freq_base", TINY.rope_base)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", TINY.norm_eps)
    writer.add_string("tokenizer.ggml.model", "gpt2")
    writer.add_string("tokenizer.ggml.pre", "smollm")
    writer.add_array("tokenizer.ggml.tokens", tokens)
    writer.add_array("tokenizer.ggml.merges", ["a t", "t h"])
    for key, value in {"padding": pad, "eos": eos}.items():
        if value is not None:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", value)
    d, state = TINY.d_head, model.state_dict()
    rows = [TINY.heads * d, TINY.kv_heads * d, TINY.kv_heads * d]
    for layer in range(TINY.layers):
        ours, theirs = f"blocks.{layer}.", f"blk.{layer}."
        split = dict(zip(["attn_q", "attn_k", "attn_v"], state.pop(f"{ours}attention.qkv.weight").split(rows)))
        split |= {"attn_output": state.pop(f"{ours}attention.out.weight")}
        split |= {"attn_norm": state.pop(f"{ours}attention_norm.gain"), "ffn_norm": state.pop(f"{ours}ffn_norm.gain")}
        split |= {f"ffn_{part}": state.pop(f"{ours}ffn.{part}.weight") for part in ("gate", "up", "down")}
        for name, tensor in split.items():
            writer.add_tensor(f"{theirs}{name}.weight", tensor.numpy())
    writer.add_tensor("token_embd.weight", state.pop("token_embedding.weight").numpy())
    writer.add_tensor("output_norm.weight", state.pop("norm.gain").numpy())
    assert not state
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_gguf_pads_with_the_token_that_it_names(tmp_path):
    model = llama_model.from_gguf(write_gguf(tmp_path / "tiny.gguf"))
    assert (model.layers, model.heads, model.context, model.pad_id) == (TINY.layers, TINY.heads, TINY.context, 1)
    assert llama_model.from_gguf(write_gguf(tmp_path / "with_pad.gguf", pad=0)).pad_id == 0
    tokens = sources.batch(model, ["a cat", "the"], T)
    assert tokens.ids_BT.shape == (2, T)
    assert (tokens.ids_BT[~tokens.real_BT] == 1).all()
    assert model.label(tokens.ids_BT[0, 0].item()) == "a"


def test_gguf_without_a_token_to_pad_with_is_refused(tmp_path):
    with pytest.raises(DataError, match="no token to pad with"):
        llama_model.from_gguf(write_gguf(tmp_path / "tiny.gguf", eos=None))


def test_gguf_of_another_architecture_is_refused(tmp_path):
    with pytest.raises(DataError, match="architecture") as error:
        llama_model.from_gguf(write_gguf(tmp_path / "tiny.gguf", architecture="qwen2"))
    assert error.value.context["value"] == "qwen2"
    assert error.value.remedy


def test_missing_gguf_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="missing") as error:
        llama_model.from_gguf(tmp_path / "none.gguf")
    assert "snakemake" in error.value.remedy


# Models of the race.


@pytest.fixture
def race(tmp_path) -> dict:
    torch.manual_seed(5)
    vocabulary = sorted(set("\n" + "".join(SENTENCES)))
    model = Decoder("dense", SIZES, len(vocabulary))
    weights, info = tmp_path / "dense-seed7.safetensors", tmp_path / "corpus.json"
    files.save_tensors(weights, model.state_dict(), {"arm": "dense", "seed": 7, "step": 3})
    files.write_json(info, {"vocabulary": vocabulary})
    return {"weights": weights, "corpus_info": info, "model": model}


def of_race(race, trained=True, sizes=SIZES):
    return race_model.from_race(race["weights"], race["corpus_info"], sizes, trained, "race_dense")


def test_race_before_training_is_where_its_run_starts(race):
    """The untrained model reads as the one that the training loop starts from (mixtral/training.py) does."""
    info = files.read_json(race["corpus_info"])
    start = initial_decoder("dense", SIZES, len(info["vocabulary"]), seed=7).eval()
    tokens, seen = sources.batch(of_race(race, trained=False), SENTENCES, T), []
    sources.attend(of_race(race, trained=False), tokens, False, seen.append)
    _, expected = read_all(start, tokens.ids_BT)
    assert all(map(torch.equal, seen, expected))


def test_race_trained_and_untrained_differ_and_long_texts_are_cut(race):
    found = {}
    for trained in (True, False):
        model, seen = of_race(race, trained), []
        tokens = sources.batch(model, SENTENCES, T)
        assert list(tokens.lengths_B) == [T, T, T]
        sources.attend(model, tokens, True, seen.append)
        found[trained] = torch.stack(seen)
    assert not torch.allclose(found[True], found[False])


def test_race_files_that_do_not_fit_are_refused(race, tmp_path):
    with pytest.raises(ArtefactError, match="do not fit"):
        of_race(race, sizes=dataclasses.replace(SIZES, layers=3))
    with pytest.raises(DataError, match="does not know") as error:
        of_race(race).encode("the cat & the dog")
    assert error.value.context["characters"] == "&"
    files.write_json(race["corpus_info"], {"vocabulary": sorted(set("".join(SENTENCES)))})
    with pytest.raises(DataError, match="no line break"):
        of_race(race)
    files.save_tensors(race["weights"], race["model"].state_dict(), {"step": 3})
    with pytest.raises(ArtefactError, match="arm and seed"):
        of_race(race)
    files.save_tensors(race["weights"], race["model"].state_dict(), {"arm": "dense", "seed": 8, "step": 3})
    with pytest.raises(ArtefactError, match="not the one its name says"):
        of_race(race)


# Models that transformers reads.


def write_folder(folder: Path, model, pad=None, end="<end>") -> Path:
    """A model and a tokenizer of whole words, as the hub lays them out."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<end>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(names)}, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    special = {key: value for key, value in {"pad_token": pad, "eos_token": end}.items() if value}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def tiny_gpt2(**changes):
    from transformers import GPT2Config, GPT2Model

    torch.manual_seed(0)
    sizes = {"vocab_size": 1 + len(WORDS), "n_positions": 32, "n_embd": 12, "n_layer": 2, "n_head": 3}
    model = GPT2Model(GPT2Config(**sizes | {"bos_token_id": 0, "eos_token_id": 0} | changes))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model.eval()


def test_gpt2_folder_gives_the_librarys_own_weights(tmp_path):
    """One sentence at a time and unpadded, against the batch of padded ones."""
    theirs = tiny_gpt2()
    theirs.set_attn_implementation("eager")
    model = hub_model.load(str(write_folder(tmp_path, theirs)), "gpt2")
    assert (model.name, model.layers, model.heads, model.context, model.pad_id) == ("gpt2", 2, 3, 32, 0)
    tokens = sources.batch(model, SENTENCES, T)
    assert list(tokens.lengths_B) == [6, 3, 6]
    for hidden in (True, False):
        seen = []
        sources.attend(model, tokens, hidden, seen.append)
        for sentence, n in enumerate(tokens.lengths_B):
            with torch.no_grad():
                alone = theirs(tokens.ids_BT[sentence : sentence + 1, :n], output_attentions=True).attentions
            for layer, reference in zip(seen, alone):
                torch.testing.assert_close(layer[sentence, :, :n, :n], reference[0], atol=1e-5, rtol=0)
            assert (seen[0][sentence, :, n:, n:].sum() == 0) == hidden


def test_gpt2_as_it_is_published(tmp_path):
    """With its head, vocab.json and merges.txt, and no token to pad with: the end of a text pads, as posted."""
    from transformers import GPT2LMHeadModel

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    tokens = ["<|endoftext|>", "\u0120", *letters, "th", "at", "\u0120c"]
    base = tiny_gpt2(vocab_size=len(tokens))
    whole = GPT2LMHeadModel(base.config).eval()
    whole.transformer.load_state_dict(base.state_dict())
    whole.save_pretrained(tmp_path)
    (tmp_path / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\nt h\na t\n\u0120 c\n")
    model = hub_model.load(str(tmp_path), "gpt2")
    assert (model.pad_id, model.vocabulary, model.layers) == (0, len(tokens), 2)
    tokens_of_it = sources.batch(model, ["that cat"], T)
    labels = [model.label(index) for index in tokens_of_it.ids_BT[0].tolist()]
    assert labels == ["th", "at", " c", "at", *["<|endoftext|>"] * (T - 4)]
    seen = []
    sources.attend(model, tokens_of_it, True, seen.append)
    base.set_attn_implementation("eager")
    with torch.no_grad():
        expected = base(
            tokens_of_it.ids_BT, attention_mask=tokens_of_it.real_BT.long(), output_attentions=True
        ).attentions
    torch.testing.assert_close(torch.stack(seen), torch.stack(expected))


def test_gpt2_batches_are_passed_in_parts(tmp_path, monkeypatch):
    model = hub_model.load(str(write_folder(tmp_path, tiny_gpt2())), "gpt2")
    tokens, whole, parts = sources.batch(model, SENTENCES, T), [], []
    sources.attend(model, tokens, True, whole.append)
    monkeypatch.setattr(hub_model, "SENTENCES_A_PASS", 2)
    sources.attend(model, tokens, True, parts.append)
    torch.testing.assert_close(torch.stack(parts), torch.stack(whole), atol=1e-6, rtol=0)


def test_a_fused_kernel_gives_no_attention(tmp_path):
    model = hub_model.load(str(write_folder(tmp_path, tiny_gpt2())), "gpt2", implementation="sdpa")
    tokens = sources.batch(model, SENTENCES, T)
    with pytest.raises(DataError, match="gives no attention weights") as error:
        sources.attend(model, tokens, True, lambda weights: None)
    assert "eager" in error.value.remedy


def test_tokenizer_without_pad_or_end_is_refused(tmp_path):
    folder = str(write_folder(tmp_path, tiny_gpt2(), end=None))
    with pytest.raises(DataError, match="no token to pad with") as error:
        hub_model.load(folder, "gpt2")
    assert "pad_token" in error.value.remedy


def test_a_pad_token_is_used_where_there_is_one(tmp_path):
    assert hub_model.load(str(write_folder(tmp_path, tiny_gpt2(), pad="mat")), "gpt2").pad_id == 1 + WORDS.index("mat")


def test_a_model_that_sees_ahead_is_refused(tmp_path):
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    bert = BertModel(BertConfig(vocab_size=1 + len(WORDS), hidden_size=12, num_hidden_layers=1, num_attention_heads=3,
                                intermediate_size=8, max_position_embeddings=32))  # fmt: skip
    model = hub_model.load(str(write_folder(tmp_path, bert)), "bert")
    tokens = sources.batch(model, SENTENCES, T)
    with pytest.raises(DataError, match="no decoder"):
        sources.attend(model, tokens, False, lambda weights: None)


def test_a_model_without_attention_is_refused(tmp_path):
    from transformers import MambaConfig, MambaModel

    mamba = MambaModel(MambaConfig(vocab_size=1 + len(WORDS), hidden_size=12, num_hidden_layers=1, state_size=4))
    with pytest.raises(DataError, match="another architecture|no attention"):
        model = hub_model.load(str(write_folder(tmp_path, mamba)), "mamba")
        sources.attend(model, sources.batch(model, SENTENCES, T), True, lambda weights: None)


def test_unknown_architecture_is_refused(tmp_path):
    write_folder(tmp_path, tiny_gpt2())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "gpt-three"}))
    with pytest.raises(DataError, match="architecture"):
        hub_model.load(str(tmp_path), "gpt2")


def test_no_weights_and_no_network(tmp_path):
    """Neither a name that is not cached nor a folder without weights makes it look further."""
    with pytest.raises(DataError, match="no such model here") as error:
        hub_model.load("nobody-has-this-model", "gpt2")
    assert "folder" in error.value.remedy and "cache" in error.value.remedy
    folder = write_folder(tmp_path / "gpt2", tiny_gpt2())
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match="cannot read the model") as error:
        hub_model.load(str(folder), "gpt2")
    assert "model.safetensors" in error.value.remedy


def test_pickled_weights_are_not_opened(tmp_path):
    folder = write_folder(tmp_path, tiny_gpt2())
    (folder / "model.safetensors").unlink()
    torch.save(tiny_gpt2().state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="cannot read the model"):
        hub_model.load(str(folder), "gpt2")


def test_damaged_weights_are_refused(tmp_path):
    folder = write_folder(tmp_path, tiny_gpt2())
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot read the model"):
        hub_model.load(str(folder), "gpt2")


# What all sources share.


def stub(**changes) -> sources.AttentionModel:
    fields = {
        "name": "stub", "layers": 1, "heads": 1, "context": 64, "vocabulary": 9, "pad_id": 0, "cuts": False,
        "encode": lambda text: [1 + len(word) for word in text.split()], "label": str,
        "attend": lambda ids, real, visit: visit(torch.eye(ids.shape[1]).repeat(len(ids), 1, 1, 1)),
    }  # fmt: skip
    return sources.AttentionModel(**fields | changes)


@pytest.mark.parametrize(
    "sentences, positions, message",
    [
        (["a b", " \n"], 8, "sentence is empty"),
        (["a b", "one"], 8, "too few or too many"),
        (["a b", "a b c d e f g h i"], 8, "too few or too many"),
        (["a b"], 65, "more positions than the model has"),
    ],
)
def test_sentences_that_cannot_be_used(sentences, positions, message):
    with pytest.raises(DataError, match=message) as error:
        sources.batch(stub(), sentences, positions)
    assert error.value.remedy
    if positions == 8:
        assert error.value.context["sentence"] == "number 2"


def test_wrong_weights_are_noticed():
    tokens = sources.batch(stub(), ["a b c", "a b"], 4)
    wrong = {
        "do not sum to 1": lambda ids, real, visit: visit(torch.eye(4).repeat(2, 1, 1, 1) * 1.01),
        "do not sum": lambda ids, real, visit: visit(torch.full((2, 1, 4, 4), math.nan).tril()),
        "no decoder": lambda ids, real, visit: visit(torch.full((2, 1, 4, 4), 0.25)),
        "other attention weights": lambda ids, real, visit: None,
    }
    for message, attend in wrong.items():
        with pytest.raises(DataError, match=message):
            sources.attend(stub(attend=attend), tokens, True, lambda weights: None)


# The command.


def run_command(*extra: str, kind: str, weights: Path, out: Path, settings=SETTINGS) -> Path:
    sentences = out.parent / "sentences.csv"
    sentences.write_text("kind,sentence\n" + "".join(f"mixed,{sentence}\n" for sentence in SENTENCES))
    command, kind_options = {
        "gguf": (pretrained_runs, ["--kind", "gguf"]),
        "hub": (pretrained_runs, ["--kind", "hub"]),
        "race": (race_runs, []),
        "race_untrained": (race_runs, ["--untrained"]),
    }[kind]
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    command.main(
        parser.parse_args([*kind_options, "--name", "tiny", "--weights", str(weights), "--sentences", str(sentences),
                           "--settings", settings, "--out", str(out), *extra])
    )  # fmt: skip
    return out


def race_arguments(race) -> list[str]:
    return ["--model", json.dumps(dataclasses.asdict(SIZES)), "--corpus-info", str(race["corpus_info"])]


@pytest.mark.parametrize("kind", ["gguf", "hub", "race", "race_untrained"])
def test_every_kind_writes_the_same_file_twice(kind, race, tmp_path):
    if kind == "gguf":
        weights, extra, sizes = write_gguf(tmp_path / "tiny.gguf"), [], (TINY.layers, TINY.heads)
    elif kind == "hub":
        weights, extra, sizes = write_folder(tmp_path / "gpt2", tiny_gpt2()), [], (2, 3)
    else:
        weights, extra, sizes = race["weights"], race_arguments(race), (SIZES.layers, SIZES.heads)
    settings = SETTINGS if kind != "gguf" else SETTINGS.replace("10", "30")  # its tokens are letters
    first, second = (
        run_command(*extra, kind=kind, weights=weights, out=tmp_path / name, settings=settings).read_bytes()
        for name in ("first.safetensors", "second.safetensors")
    )
    assert first == second
    tensors, about = files.load_tensors(tmp_path / "first.safetensors")
    n = len(about["example_tokens"])
    assert tensors.pop("example_LHnn").shape == (*sizes, n, n)
    assert len(tensors) == 3 * 4 + 1
    assert {tuple(tensor.shape) for tensor in tensors.values()} == {(len(SENTENCES), *sizes)}
    assert about["lengths"][1] == n and about["kinds"] == ["mixed"] * 3
    assert str(tmp_path) not in json.dumps(about)


def test_an_example_that_is_not_among_the_sentences_is_refused(race, tmp_path):
    arguments = {"kind": "race", "weights": race["weights"], "out": tmp_path / "x.safetensors"}
    with pytest.raises(ParamsError, match="no such sentence") as error:
        run_command(*race_arguments(race), **arguments, settings=SETTINGS.replace(": 2}", ": 4}"))
    assert error.value.context["allowed"] == "1 to 3"
    assert not arguments["out"].exists()


def test_another_token_can_pad(race, tmp_path):
    """Real rows stay as they are, to the bit; padding rows do not."""
    arguments = {"kind": "race", "weights": race["weights"], "settings": SETTINGS.replace("10", "24")}
    found = [
        files.load_tensors(
            run_command(*race_arguments(race), *extra, **arguments, out=tmp_path / f"{name}.safetensors")
        )
        for name, extra in {"own": [], "other": ["--pad-id", "3"]}.items()
    ]
    (own, about_own), (other, about_other) = found
    assert (about_own["pad_id"], about_other["pad_id"]) == (0, 3)
    for name in own:
        assert torch.equal(own[name], other[name]) == (not name.startswith("padding")), name
    with pytest.raises(DataError, match="no such token"):
        run_command(*race_arguments(race), "--pad-id", "99", **arguments, out=tmp_path / "x.safetensors")


def test_an_empty_cell_is_an_empty_sentence(race, tmp_path, monkeypatch):
    monkeypatch.setattr("test_head_sources.SENTENCES", [*SENTENCES[:2], ""])
    with pytest.raises(DataError, match="sentence is empty") as error:
        run_command(*race_arguments(race), kind="race", weights=race["weights"], out=tmp_path / "x.safetensors")
    assert error.value.context["sentence"] == "number 3"


def test_the_cache_of_the_hub_is_read_and_nothing_is_fetched(tmp_path):
    """In processes of their own, which look for the cache where the environment says: one filled, one empty."""
    folder = tmp_path / "filled/hub/models--someone--tiny"
    write_folder(folder / "snapshots/abc", tiny_gpt2())
    files.write_text(folder / "refs/main", "abc")
    files.write_text(tmp_path / "sentences.csv", "kind,sentence\nmixed,the cat sat\nmixed,a dog ran\n")
    command = [
        sys.executable, "-m", "postproof", "attention.heads.pretrained_runs", "--kind", "hub", "--name", "gpt2",
        "--weights", "someone/tiny", "--sentences", "sentences.csv", "--settings", SETTINGS, "--out", "run.safetensors",
    ]  # fmt: skip
    done = {}
    for cache in ("filled", "empty"):
        environment = {name: value for name, value in os.environ.items() if not name.endswith("_CACHE")}
        environment |= {"HF_HOME": str(tmp_path / cache), "PYTHONPATH": os.pathsep.join(sys.path)}
        done[cache] = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done["filled"].returncode == 0, done["filled"].stderr
    assert files.load_tensors(tmp_path / "run.safetensors")[1]["lengths"] == [3, 3]
    assert done["empty"].returncode == DataError.exit_code
    assert "no such model here" in done["empty"].stderr and "what to do" in done["empty"].stderr


def test_sentences_of_the_project():
    """Ten of each kind, all different, in characters that the models of the race know."""
    table = files.read_csv("data/texts/sentences.csv", ["kind", "sentence"])
    assert len(table) == 100 and table["sentence"].is_unique
    assert (table["kind"].value_counts() == 10).all() and table["kind"].nunique() == 10
    assert table["sentence"].str.fullmatch(r"[A-Za-z' ,.;:?!-]+").all()
    assert not table["sentence"].str.contains("Z").any()  # the plays' start has no capital Z


@pytest.mark.skipif(not GGUF.exists(), reason=f"needs {GGUF}")
def test_sentences_fit_the_default_model():
    model = llama_model.from_gguf(GGUF)
    table = files.read_csv("data/texts/sentences.csv", ["kind", "sentence"])
    tokens = sources.batch(model, table["sentence"], 64)
    assert tokens.lengths_B.max() <= 62
    assert model.label(model.pad_id) == "<|im_end|>"  # its file names the end of a turn
    a_few = sources.Batch(tokens.ids_BT[:2], tokens.lengths_B[:2])
    seen = []
    sources.attend(model, a_few, True, seen.append)
    assert np.isfinite(torch.stack(seen).numpy()).all()
