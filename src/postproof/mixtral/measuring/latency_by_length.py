"""Latency of one forward pass over one prompt, by prompt-length bucket: P50, P95 and P99.

No gradient, batch 1, the race's models (untrained weights of the post's seed), prompts cut from the corpus at random
places. The clock runs from token ids on the host to logits on the device; each prompt goes through all variants in
turn, prompts of all buckets in random order, after a warm pass over every length. Seconds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from postproof.measuring.timing import seconds_of
from postproof.mixtral.measuring import moe_variants, posted

BUCKETS = ((8, 16), (17, 32), (33, 64), (65, 96))
VARIANTS = ("dense", "ours", "loop")
PROMPTS_PER_BUCKET = 400


@torch.no_grad()
def measure(device: torch.device, tiny: bool) -> pd.DataFrame:
    sizes, _, seed = posted.race(tiny)
    corpus = posted.corpus()
    vocabulary = len(corpus.vocabulary)
    models = {name: moe_variants.build(name, sizes, vocabulary, seed=seed).to(device) for name in VARIANTS}
    rng = np.random.default_rng(seed)
    per_bucket = 8 if tiny else PROMPTS_PER_BUCKET
    prompts = [(bucket, rng.integers(bucket[0], bucket[1] + 1)) for bucket in BUCKETS for _ in range(per_bucket)]

    for length in (8, 96) if tiny else range(BUCKETS[0][0], BUCKETS[-1][1] + 1):
        for model in models.values():
            model(corpus.val[None, :length].to(device))
    samples = {(variant, bucket): [] for variant in VARIANTS for bucket in BUCKETS}
    for index in rng.permutation(len(prompts)):
        bucket, length = prompts[index]
        start = rng.integers(len(corpus.val) - length)
        ids_BT = corpus.val[None, start : start + length]
        for variant, model in models.items():
            samples[variant, bucket].append(seconds_of(lambda: model(ids_BT.to(device)), device))
    return pd.DataFrame([row(variant, bucket, seconds) for (variant, bucket), seconds in samples.items()])


def row(variant: str, bucket: tuple[int, int], seconds: list[float]) -> dict:
    p50, p95, p99 = np.percentile(seconds, [50, 95, 99])
    return {
        "variant": variant,
        "tokens_from": bucket[0],
        "tokens_to": bucket[1],
        "p50_seconds": p50,
        "p95_seconds": p95,
        "p99_seconds": p99,
        "mean_seconds": np.mean(seconds),
        "max_seconds": max(seconds),
        "repeats": len(seconds),
        "note": "",
    }
