# INPUTS   data/prepared/mixtral_corpus.safetensors
# OUTPUTS  results/mixtral/{runs/race,metrics,figures}
# STEPS    train_race (arm x seed) -> race_metrics -> race_figure
ARMS = ["dense", "moe"]
RACE_CHARTS = ["race_val_perplexity", "race_train_loss", "race_matched_axes"]
RACE_RUNS = expand(
    f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{{seed}}.{{suffix}}",
    arm=ARMS,
    seed=config["mixtral"]["race"]["seeds"],
    suffix=["csv", "safetensors"],
)
MIXTRAL_FIGURES = expand(
    f"{RESULTS}/mixtral/figures/{{stem}}.{{suffix}}",
    stem=RACE_CHARTS,
    suffix=["svg", "png"],
)
TABLES["mixtral"] = ["race"]


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
        model=section("mixtral.race.model"),
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
        runs=[run for run in RACE_RUNS if run.endswith(".csv")],
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


rule race_figure:
    """Draw one chart of the race."""
    input:
        table=f"{RESULTS}/mixtral/metrics/race.csv",
        code=lambda wildcards: code(f"mixtral.figures.{wildcards.stem}"),
    output:
        svg=update(report(f"{RESULTS}/mixtral/figures/{{stem}}.svg", caption="../report/race_figure.rst", category="mixtral")),
        png=update(f"{RESULTS}/mixtral/figures/{{stem}}.png"),
    log:
        f"logs/race_figure/{RESULTS}/{{stem}}.log",
    wildcard_constraints:
        stem="|".join(RACE_CHARTS),
    shell:
        "{POSTPROOF} --log {log} mixtral.figures.{wildcards.stem} --table {input.table}"
        " --out-svg {output.svg} --out-png {output.png}"
