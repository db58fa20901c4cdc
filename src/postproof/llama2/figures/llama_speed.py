"""Measured: tokens per second of our Llama and of transformers' with the same weights, prompt and decoding, a row per
machine.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from postproof.charts import on_machines, palette, plotting
from postproof.charts.on_machines import Measured
from postproof.llama2 import looks

MEASURED = ("llama_speed",)
IMPLEMENTATIONS = looks.among("ours", "transformers")
PHASES = {"prefill": "prefill", "decode": "decode"}
LABELS = ["implementation", "phase", "dtype"]
SECONDS = ["p25_seconds", "median_seconds", "p75_seconds"]
COMPARED = ["compared_prompts", "compared_steps", "largest_logit_difference", "same_tokens"]
NUMBERS = ["batch", "prompt_tokens", "tokens_per_second", *SECONDS, "repeats", *COMPARED]
WIDTH = 0.36  # of a bar


def add_arguments(parser) -> None:
    plotting.add_arguments(parser, (), MEASURED)


def main(args) -> None:
    machines = on_machines.read_all(args.measured, LABELS, NUMBERS)
    for machine in machines:
        check(machine)
    plotting.style()
    size = (plotting.COLUMN, 2.4 + 2.6 * len(machines))
    figure, grid = plt.subplots(len(machines), len(PHASES), figsize=size, squeeze=False)
    for machine, row in zip(machines, grid):
        where = f"{machine.device_name}, {machine.threads} thread{'s' * (machine.threads > 1)}"
        for (phase, name), axes in zip(PHASES.items(), row):
            draw(axes, machine.table[machine.table["phase"] == phase])
            axes.set_title(f"{where}: {name}", fontsize=9, loc="left")
        row[0].set_ylabel("tokens per second")
    for axes in grid[-1]:
        axes.set_xlabel("tokens of the prompt")
    batches = " and ".join(sorted({f"{int(n)}" for machine in machines for n in machine.table["batch"]}))
    dtypes = " and ".join(sorted({dtype for machine in machines for dtype in machine.table["dtype"]}))
    grid[0][0].legend(loc="upper left", ncols=2, fontsize=plotting.SMALL_POINTS, borderaxespad=0.1, handlelength=1.2)
    plotting.headed(
        figure,
        says(machines),
        f"Medians with quartiles, batch {batches}, {dtypes}; ×: how many times as many tokens per second ours "
        "has. Prefill: the prompt in one pass; decode: one token a step behind it. "
        f"{'; '.join(dict.fromkeys(agreement(machine.table.iloc[0]) for machine in machines))}.",
        f"Measured on {'; '.join(machine.heading(200) for machine in machines)}. Source: data/measured/{MEASURED[0]}.",
    )
    plotting.save(figure, args.out_svg, args.out_png)


def says(machines: list[Measured]) -> str:
    """The range of tokens per second of ours over those of transformers, for each phase."""
    said = []
    for phase in PHASES:
        found = [ratio for machine in machines for ratio in of_ours(machine.table[machine.table["phase"] == phase])]
        if found:
            least, most = f"{min(found):.2f}", f"{max(found):.2f}"
            said.append(f"{least if least == most else f'{least} to {most}'} times in {phase}")
    return f"Our Llama's speed relative to transformers' on the same weights is {' and '.join(said)}"


def of_ours(rows: pd.DataFrame) -> pd.Series:
    """Tokens per second of ours over those of transformers, by the length of the prompt."""
    rates = rows.pivot(index="prompt_tokens", columns="implementation", values="tokens_per_second")
    return rates["ours"] / rates["transformers"]


def check(machine: Measured) -> None:
    """Raises ArtefactError unless both implementations stand once for each phase and prompt, in the same text.

    Tokens per second are those of the seconds; what shows that both say the same is one comparison for all rows.
    """
    table = machine.table
    tokens = table["prompt_tokens"].where(table["phase"] == "prefill", 1) * table["batch"]
    rates_agree = (table["tokens_per_second"] * table["median_seconds"] / tokens).between(1 - 1e-6, 1 + 1e-6)
    pairs = table.groupby(["phase", "prompt_tokens"])["implementation"].agg(sorted)
    machine.must_hold(
        {
            "implementations are ours and transformers, each once for each phase and prompt": all(
                pair == sorted(IMPLEMENTATIONS) for pair in pairs
            ),
            "phases are prefill and decode": set(table["phase"]) == set(PHASES),
            "lower quartile <= median <= upper quartile": (table[SECONDS].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None),
            "tokens per second are tokens over seconds": rates_agree.all(),
            "all rows have the same comparison": (table[COMPARED].nunique() == 1).all(),
            "the share of equal tokens is from 0 to 1": table["same_tokens"].between(0, 1).all(),
        }
    )


def agreement(row: pd.Series) -> str:
    tokens = int(row["compared_prompts"] * row["compared_steps"])
    return (
        f"{row['compared_prompts']:.0f} prompts: logits differ by {row['largest_logit_difference']:.1e} at most, "
        f"{round(row['same_tokens'] * tokens):,} of {tokens:,} greedy tokens are equal"
    )


def draw(axes: Axes, rows: pd.DataFrame) -> None:
    """A pair of bars for each length of prompt, from 0; above it how many times as fast ours is."""
    lengths = sorted(rows["prompt_tokens"].astype(int).unique())
    ratios = of_ours(rows)
    tops = [0.0] * len(lengths)
    for offset, (stem, variant) in zip((-WIDTH / 2, WIDTH / 2), IMPLEMENTATIONS.items()):
        of_one = rows[rows["implementation"] == stem].set_index("prompt_tokens").loc[lengths]
        rate = of_one["tokens_per_second"]
        # Many seconds are few tokens per second: the upper quartile of one is the lower one of the other.
        slow, fast = (rate * of_one["median_seconds"] / of_one[column] for column in ("p75_seconds", "p25_seconds"))
        x = [i + offset for i in range(len(lengths))]
        axes.set_axisbelow(True)
        axes.bar(x, rate, WIDTH * 0.94, color=variant.colour, label=variant.long)
        axes.errorbar(
            x, rate, yerr=[rate - slow, fast - rate], fmt="none", ecolor=palette.BLACK, capsize=3, linewidth=1
        )
        for place, value in zip(x, rate):
            axes.annotate(f"{value:,.3g}", (place, 0), (0, 4), textcoords="offset points", ha="center",
                          fontsize=8)  # fmt: skip
        tops = [max(top, high) for top, high in zip(tops, fast)]
    for i, (length, top) in enumerate(zip(lengths, tops)):
        axes.annotate(f"× {ratios[length]:.2f}", (i, top), (0, 4), textcoords="offset points", ha="center",
                      fontweight="bold", size=9)  # fmt: skip
    axes.set_xticks(range(len(lengths)), [f"{length:,}" for length in lengths])
    axes.set(ylim=(0, 1.3 * max(tops)), xlim=(-0.6, len(lengths) - 0.4))
    axes.grid(axis="x", visible=False)
