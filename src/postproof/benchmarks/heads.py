"""Statistics of attention heads: one pass of array code against a loop over sentences, heads and rows.

Both take random causal attention of the size that a layer of the default model gives, in this one process and thread.
"""

from __future__ import annotations

from collections.abc import Iterator

from postproof.benchmarks.runner import Row, in_turns, ratios

SENTENCES, HEADS, POSITIONS, REACH = 100, 9, 64, 2
LOOPED_SENTENCES = 5  # a loop's time is proportional to them
TURNS = 7


def rows() -> Iterator[Row]:
    """The array code's time over the loop's, for as many rows: at least 15 times faster."""
    import torch

    from postproof.attention.heads import row_statistics

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        weights_BHTT, lengths_B = attention(SENTENCES, HEADS, POSITIONS)
        few_BHTT, few_B = weights_BHTT[:LOOPED_SENTENCES], lengths_B[:LOOPED_SENTENCES]
        ways = {
            "arrays": lambda: row_statistics.by_head(weights_BHTT, lengths_B, REACH, padding_hidden=True),
            "loop": lambda: by_loop(few_BHTT.numpy(), few_B, REACH, padding_hidden=True),
        }
        seconds = in_turns(ways, TURNS)
    finally:
        torch.set_num_threads(threads)
    per_sentence = LOOPED_SENTENCES / SENTENCES
    yield Row.of("head_statistics_speedup", ratios(seconds["arrays"], seconds["loop"], per_sentence), 1 / 15)


def attention(sentences: int, heads: int, positions: int):
    """Weights (B, H, T, T) of random scores, in which padding is hidden; and lengths from 4 tokens on."""
    import numpy as np
    import torch

    generator = torch.Generator().manual_seed(0)
    lengths_B = np.random.default_rng(0).integers(4, positions // 2, size=sentences)
    scores = torch.randn(sentences, heads, positions, positions, generator=generator)
    padding_BT = torch.arange(positions) >= torch.from_numpy(lengths_B)[:, None]
    hidden = torch.ones(positions, positions, dtype=torch.bool).triu(1) | padding_BT[:, None, None]
    return scores.masked_fill(hidden, -torch.inf).softmax(-1), lengths_B


def by_loop(weights_BHTT, lengths_B, reach: int, padding_hidden: bool) -> dict:
    """What row_statistics.by_head gives, as plainly as it can be said: row by row, with NumPy."""
    import numpy as np

    names = ("entropy", "diagonal", "entropy_share", "first_token_share")
    means = {f"{group}_{name}": np.zeros(weights_BHTT.shape[:2]) for group in ("real", "padding") for name in names}
    for sentence, (weights_HTT, length) in enumerate(zip(weights_BHTT, lengths_B)):
        for head, weights_TT in enumerate(weights_HTT):
            found = {name: [] for name in means}
            for i, row in enumerate(weights_TT):
                group = "real" if i < length else "padding"
                positive = row[row > 0].astype(np.float64)
                entropy = -(positive * np.log(positive)).sum()
                found[f"{group}_entropy"].append(entropy)
                found[f"{group}_diagonal"].append(row[max(0, i - reach) : i + reach + 1].sum())
                if i > 0:
                    keys = min(i + 1, length) if padding_hidden else i + 1
                    found[f"{group}_entropy_share"].append(entropy / np.log(keys))
                    found[f"{group}_first_token_share"].append(row[0])
            for name, values in found.items():
                means[name][sentence, head] = np.mean(values) if values else 0.0
    return means
