# The posted runs again, on the post's own text, which is not ours to ship: docs/recorded.md. Not part of `all`.
#
# INPUTS   data/raw/mixtral_posted_text.txt, put there by `postproof held`
# OUTPUTS  build/recorded/mixtral/{race,isoflop,router_balance,precision}, which data/recorded/mixtral keeps
# STEPS    prepare_posted_text -> train_race_as_run, train_router_balance_as_run (arm x seed),
#          train_isoflop_as_run (arm x width x seed), train_two_precisions (arm) -> recorded
#          data/recorded -> race_metrics_as_run, isoflop_metrics_as_run, router_balance_metrics_as_run, precision_metrics
#          data/posted, race_metrics_as_run, router_balance_metrics_as_run -> reruns
#          data/posted, router_balance_metrics, router_balance_metrics_as_run -> router_quality
#          data/posted -> posted_gap
RACE_AS_RUN, BALANCE_AS_RUN = (
    expand(f"mixtral/{experiment}/{{arm}}-seed{{seed}}", arm=arms, seed=seeds)
    for experiment, arms, seeds in [
        ("race", ["dense", "moe"], MIXTRAL["posted_text"]["race_seeds"]),
        ("router_balance", ["no_aux", "with_aux"], MIXTRAL["posted_text"]["balance_seeds"]),
    ]
)

ISOFLOP_AS_RUN = expand(
    "mixtral/isoflop/{arm}_d{width}-seed{seed}",
    arm=["dense", "moe"],
    width=MIXTRAL["posted_text"]["isoflop"]["widths"],
    seed=MIXTRAL["posted_text"]["race_seeds"],
)
IN_TWO_PRECISIONS = [
    f"mixtral/precision/{arm}-seed{MIXTRAL['posted_text']['posted_seeds']['router_balance']}"
    for arm in ("no_aux", "with_aux")
]


use rule prepare_corpus as prepare_posted_text with:
    input:
        code=code("data.prepare_corpus"),
        text="data/raw/mixtral_posted_text.txt",
    wildcard_constraints:
        corpus="posted_text",


use rule train_race as train_race_as_run with:
    input:
        code=code("mixtral.train_race"),
        corpus="data/prepared/mixtral_posted_text.safetensors",
    output:
        rows=update("build/recorded/mixtral/race/{arm}-seed{seed}.csv"),
        weights=update("build/recorded/mixtral/race/{arm}-seed{seed}.safetensors"),
    log:
        "logs/train_race_as_run/{arm}-seed{seed}.log",
    wildcard_constraints:
        arm="dense|moe",
        seed=Among("mixtral.posted_text.race_seeds"),
    params:
        model=section("mixtral.model"),
        optimiser=section("mixtral.optimiser"),
        training=section("mixtral.race.training"),
        device="cpu",
        draws="as_run",


use rule train_isoflop as train_isoflop_as_run with:
    input:
        code=code("mixtral.train_isoflop"),
        corpus="data/prepared/mixtral_posted_text.safetensors",
    output:
        rows=update("build/recorded/mixtral/isoflop/{arm}_d{width}-seed{seed}.csv"),
        weights=update("build/recorded/mixtral/isoflop/{arm}_d{width}-seed{seed}.safetensors"),
    log:
        "logs/train_isoflop_as_run/{arm}_d{width}-seed{seed}.log",
    wildcard_constraints:
        arm="dense|moe",
        width=Among("mixtral.posted_text.isoflop.widths"),
        seed=Among("mixtral.posted_text.race_seeds"),
    params:
        model=section("mixtral.model"),
        optimiser=section("mixtral.optimiser"),
        budgets=section("mixtral.posted_text.isoflop.budgets"),
        race_budget=section("mixtral.posted_text.isoflop.race_budget"),
        device="cpu",
        draws="as_run",


use rule train_router_balance as train_router_balance_as_run with:
    input:
        code=code("mixtral.train_router_balance"),
        corpus="data/prepared/mixtral_posted_text.safetensors",
    output:
        rows=update("build/recorded/mixtral/router_balance/{arm}-seed{seed}.csv"),
        weights=update("build/recorded/mixtral/router_balance/{arm}-seed{seed}.safetensors"),
        routing=update("build/recorded/mixtral/router_balance/{arm}-seed{seed}.routing.safetensors"),
    log:
        "logs/train_router_balance_as_run/{arm}-seed{seed}.log",
    wildcard_constraints:
        arm="no_aux|with_aux",
        seed=Among("mixtral.posted_text.balance_seeds"),
    params:
        model=section("mixtral.model"),
        optimiser=section("mixtral.optimiser"),
        training=section("mixtral.router_balance.training"),
        device="cpu",
        draws="as_run",


rule train_two_precisions:
    """Train one of the post's balance runs in float32 and float64, step by step."""
    input:
        code=code("mixtral.train_two_precisions"),
        corpus="data/prepared/mixtral_posted_text.safetensors",
    output:
        rows=update("build/recorded/mixtral/precision/{arm}-seed{seed}.csv"),
    log:
        "logs/train_two_precisions/{arm}-seed{seed}.log",
    wildcard_constraints:
        arm="no_aux|with_aux",
        seed=Among("mixtral.posted_text.balance_seeds"),
    params:
        model=section("mixtral.model"),
        optimiser=section("mixtral.optimiser"),
        training=section("mixtral.router_balance.training"),
        steps=section("mixtral.posted_text.precision_steps"),
    shell:
        job(
            "mixtral.train_two_precisions --arm {wildcards.arm} --seed {wildcards.seed} --steps {params.steps}"
            " --model {params.model} --training {params.optimiser} {params.training}"
            " --corpus {input.corpus} --out-rows {output.rows}"
        )


rule recorded:
    """All runs that data/recorded holds, made again: `postproof recorded`"""
    input:
        expand("build/recorded/{run}.csv", run=RACE_AS_RUN + ISOFLOP_AS_RUN + BALANCE_AS_RUN + IN_TWO_PRECISIONS),


use rule race_metrics as race_metrics_as_run with:
    input:
        code=code("mixtral.race_metrics"),
        runs=expand("data/recorded/{run}.csv", run=RACE_AS_RUN),
    output:
        race=update(f"{RESULTS}/mixtral/metrics/race_as_run.csv"),
        equal=update(f"{RESULTS}/mixtral/metrics/race_as_run_equal_flops.csv"),
        axes=update(f"{RESULTS}/mixtral/metrics/race_as_run_matched_axes.csv"),
    log:
        f"logs/race_metrics_as_run/{RESULTS}.log",
    params:
        seeds=section("mixtral.posted_text.race_seeds"),


use rule isoflop_metrics as isoflop_metrics_as_run with:
    input:
        code=code("mixtral.isoflop_metrics"),
        runs=expand("data/recorded/{run}.csv", run=ISOFLOP_AS_RUN),
    output:
        points=update(f"{RESULTS}/mixtral/metrics/isoflop_as_run.csv"),
        gap=update(f"{RESULTS}/mixtral/metrics/isoflop_gap_as_run.csv"),
    log:
        f"logs/isoflop_metrics_as_run/{RESULTS}.log",
    params:
        seeds=section("mixtral.posted_text.race_seeds"),
        widths=section("mixtral.posted_text.isoflop.widths"),
        budgets=section("mixtral.posted_text.isoflop.budgets"),
        race_budget=section("mixtral.posted_text.isoflop.race_budget"),


use rule router_balance_metrics as router_balance_metrics_as_run with:
    input:
        code=code("mixtral.router_metrics"),
        runs=expand("data/recorded/{run}.csv", run=BALANCE_AS_RUN),
        routing=expand("data/recorded/{run}.routing.safetensors", run=BALANCE_AS_RUN),
    output:
        balance=update(f"{RESULTS}/mixtral/metrics/router_balance_as_run.csv"),
        layers=update(f"{RESULTS}/mixtral/metrics/router_by_layer_as_run.csv"),
        usage=update(f"{RESULTS}/mixtral/metrics/expert_usage_as_run.csv"),
    log:
        f"logs/router_balance_metrics_as_run/{RESULTS}.log",
    params:
        seeds=section("mixtral.posted_text.balance_seeds"),
        protocols="as_run",


rule reruns:
    """Hold the posted rows of both experiments against the runs of the same seed, digit by digit."""
    input:
        code=code("mixtral.reruns"),
        posted=["data/posted/mixtral/race.csv", "data/posted/mixtral/router_balance.csv"],
        race=rules.race_metrics_as_run.output.race,
        balance=rules.router_balance_metrics_as_run.output.balance,
    output:
        race=update(f"{RESULTS}/mixtral/metrics/race_reruns.csv"),
        equal=update(f"{RESULTS}/mixtral/metrics/race_posted_equal_flops.csv"),
        balance=update(f"{RESULTS}/mixtral/metrics/router_balance_reruns.csv"),
    log:
        f"logs/reruns/{RESULTS}.log",
    params:
        seeds=section("mixtral.posted_text.posted_seeds"),
    shell:
        job(
            "mixtral.reruns --posted {input.posted} --race {input.race} --balance {input.balance}"
            " --seeds {params.seeds} --out-race {output.race} --out-equal {output.equal} --out-balance {output.balance}"
        )


rule posted_gap:
    """Say how far apart the two posted runs are at equal FLOPs, as the sweep over budgets has it."""
    input:
        code=code("mixtral.posted_gap"),
        posted="data/posted/mixtral/race.csv",
    output:
        gap=update(f"{RESULTS}/mixtral/metrics/race_posted_gap.csv"),
    log:
        f"logs/posted_gap/{RESULTS}.log",
    shell:
        job("mixtral.posted_gap --posted {input.posted} --out {output.gap}")


rule router_quality:
    """Say what the auxiliary loss costs in perplexity, on both texts and in the post."""
    input:
        code=code("mixtral.router_quality"),
        as_run=rules.router_balance_metrics_as_run.output.balance,
        balance=rules.router_balance_metrics.output.balance,
        posted="data/posted/mixtral/router_balance.csv",
    output:
        quality=update(f"{RESULTS}/mixtral/metrics/router_quality.csv"),
        seeds=update(f"{RESULTS}/mixtral/metrics/router_quality_by_seed.csv"),
    log:
        f"logs/router_quality/{RESULTS}.log",
    shell:
        job(
            "mixtral.router_quality --as-run {input.as_run} --balance {input.balance} --posted {input.posted}"
            " --out {output.quality} --out-seeds {output.seeds}"
        )


rule precision_metrics:
    """Join the runs in two precisions into one tidy table, and say where each first chooses otherwise."""
    input:
        code=code("mixtral.precision_metrics"),
        runs=expand("data/recorded/{run}.csv", run=IN_TWO_PRECISIONS),
    output:
        precision=update(f"{RESULTS}/mixtral/metrics/router_precision.csv"),
        first=update(f"{RESULTS}/mixtral/metrics/router_precision_first.csv"),
    log:
        f"logs/precision_metrics/{RESULTS}.log",
    shell:
        job("mixtral.precision_metrics --runs {input.runs} --out {output.precision} --out-first {output.first}")
