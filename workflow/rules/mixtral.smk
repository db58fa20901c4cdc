# Dense against MoE at equal training FLOPs: the posted race, and larger budgets.
#
# INPUTS   data/prepared/mixtral_{corpus,full}.safetensors
# OUTPUTS  results/mixtral/{runs/race,runs/isoflop,runs/full}, their metrics and figures
# STEPS    train_race (arm x seed) -> race_metrics
#          train_isoflop (arm x width x seed) -> isoflop_metrics -> isoflop_figure; `full` is the same for a GPU
ARMS = ["dense", "moe"]
RACE_RUNS = expand(f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{{seed}}.csv", arm=ARMS, seed=config["mixtral"]["race"]["seeds"])


def isoflop_runs(tier):
    return expand(
        f"{RESULTS}/mixtral/runs/{tier}/{{arm}}_d{{width}}-seed{{seed}}.csv",
        arm=ARMS,
        width=config["mixtral"][tier]["widths"],
        seed=config["mixtral"][tier]["seeds"],
    )


CHARTS["mixtral"] = {
    "race_val_perplexity": ["race", "parameters"],
    "race_train_loss": ["race"],
    "race_matched_axes": ["race"],
    "router_entropy": ["router_balance", "router_by_layer", "expert_usage"],
    "router_by_layer": ["router_balance", "router_by_layer", "expert_usage"],
    "router_quality": ["router_balance", "router_by_layer", "expert_usage"],
    "expert_usage": ["router_balance", "router_by_layer", "expert_usage"],
    "expert_load_windows": ["expert_load", "expert_load_windows"],
    "dispatch_volume": ["dispatch_volume", "dispatch_volume_uniform"],
    "flop_breakdown": ["flop_breakdown", "parameters"],
    "parameters": ["parameters"],
}
TABLES["mixtral"] = sorted({table for tables in CHARTS["mixtral"].values() for table in tables})
TABLES["mixtral"] += ["isoflop", "isoflop_gap", "step_elements", "worked_token"]
MEASURED["mixtral"] = measured("latency_by_length", "moe_step", "race_wall")
FIGURES["mixtral"] = [*CHARTS["mixtral"], "isoflop_gap", *MEASURED["mixtral"]]


wildcard_constraints:
    tier="isoflop|full",
    width=r"\d+",


rule train_race:
    """Train one arm with one seed up to the FLOP budget."""
    input:
        corpus="data/prepared/mixtral_corpus.safetensors",
        code=code("mixtral.train_race"),
    output:
        rows=update(f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{{seed}}.csv"),
        weights=update(f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{{seed}}.safetensors"),
    log:
        f"logs/train_race/{RESULTS}/{{arm}}-seed{{seed}}.log",
    wildcard_constraints:
        arm="|".join(ARMS),
    params:
        model=section("mixtral.model"),
        training=section("mixtral.race.training"),
        device=section("device"),
    threads: TRAINING_THREADS
    resources:
        gpu=0 if config["device"] == "cpu" else 1,
    shell:
        "{POSTPROOF} --log {log} mixtral.train_race --arm {wildcards.arm} --seed {wildcards.seed}"
        " --model {params.model:q} --training {params.training:q} --device {params.device}"
        " --corpus {input.corpus} --out-rows {output.rows} --out-weights {output.weights}"


rule race_metrics:
    """Join the runs into one tidy table, and drop runs that no longer count."""
    input:
        runs=RACE_RUNS,
        code=code("mixtral.race_metrics"),
    output:
        update(f"{RESULTS}/mixtral/metrics/race.csv"),
    log:
        f"logs/race_metrics/{RESULTS}.log",
    params:
        # DVC sees the runs as one folder; which of its files count is in the seeds.
        seeds=section("mixtral.race.seeds"),
    shell:
        "{POSTPROOF} --log {log} mixtral.race_metrics --runs {input.runs} --out {output}"


rule train_isoflop:
    """Train one arm at one width with one seed through all FLOP budgets."""
    input:
        corpus=lambda wildcards: f"data/prepared/mixtral_{'full' if wildcards.tier == 'full' else 'corpus'}.safetensors",
        code=code("mixtral.train_isoflop"),
    output:
        rows=update(f"{RESULTS}/mixtral/runs/{{tier}}/{{arm}}_d{{width}}-seed{{seed}}.csv"),
        weights=update(f"{RESULTS}/mixtral/runs/{{tier}}/{{arm}}_d{{width}}-seed{{seed}}.safetensors"),
    log:
        f"logs/train_isoflop/{RESULTS}/{{tier}}-{{arm}}_d{{width}}-seed{{seed}}.log",
    wildcard_constraints:
        arm="|".join(ARMS),
    params:
        model=section("mixtral.model"),
        training=lambda wildcards: Section(f"mixtral.{wildcards.tier}.training"),
        device=section("device"),
    threads: TRAINING_THREADS
    resources:
        gpu=0 if config["device"] == "cpu" else 1,
    shell:
        "{POSTPROOF} --log {log} mixtral.train_isoflop --arm {wildcards.arm} --seed {wildcards.seed}"
        " --width {wildcards.width} --model {params.model:q} --training {params.training:q} --device {params.device}"
        " --corpus {input.corpus} --out-rows {output.rows} --out-weights {output.weights}"


rule isoflop_metrics:
    """Join the runs into one tidy table, and say how large the gap is and how many seeds tell it."""
    input:
        runs=lambda wildcards: isoflop_runs(wildcards.tier),
        code=code("mixtral.isoflop_metrics"),
    output:
        points=update(f"{RESULTS}/mixtral/metrics/{{tier}}.csv"),
        gap=update(f"{RESULTS}/mixtral/metrics/{{tier}}_gap.csv"),
    log:
        f"logs/isoflop_metrics/{RESULTS}/{{tier}}.log",
    params:
        seeds=lambda wildcards: Section(f"mixtral.{wildcards.tier}.seeds"),
        widths=lambda wildcards: Section(f"mixtral.{wildcards.tier}.widths"),
        budgets=lambda wildcards: Section(f"mixtral.{wildcards.tier}.training.budgets_flops"),
    shell:
        "{POSTPROOF} --log {log} mixtral.isoflop_metrics --runs {input.runs} --budgets {params.budgets:q}"
        " --out-points {output.points} --out-gap {output.gap}"


rule isoflop_figure:
    """Draw the gap between the arms over the budgets."""
    input:
        tables=[f"{RESULTS}/mixtral/metrics/{{tier}}.csv", f"{RESULTS}/mixtral/metrics/{{tier}}_gap.csv"],
        code=code("mixtral.figures.isoflop_gap"),
    output:
        svg=update(report(f"{RESULTS}/mixtral/figures/{{tier}}_gap.svg", caption="../report/isoflop_figure.rst", category="mixtral")),
        png=update(f"{RESULTS}/mixtral/figures/{{tier}}_gap.png"),
    log:
        f"logs/isoflop_figure/{RESULTS}/{{tier}}.log",
    shell:
        "{POSTPROOF} --log {log} mixtral.figures.isoflop_gap --tables {input.tables}"
        " --out-svg {output.svg} --out-png {output.png}"


rule full:
    """Larger budgets and widths, for a GPU: snakemake --cores full --config mode=fast device=auto"""
    input:
        f"{RESULTS}/mixtral/figures/full_gap.svg",
