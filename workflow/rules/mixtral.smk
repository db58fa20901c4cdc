# Dense against MoE at equal training FLOPs; routers with and without the auxiliary loss; what can be counted.
#
# INPUTS   data/prepared/mixtral_{corpus,full}.safetensors, data/prepared/mixtral_corpus.json, data/configurations
# OUTPUTS  results/mixtral/runs/{race,isoflop,router_balance,full} and the tables in results/mixtral/metrics
# STEPS    train_race (arm x seed) -> race_metrics
#          train_isoflop (arm x width x seed) -> isoflop_metrics
#          train_full -> full_metrics -> full_gap -> full: the same for a GPU, not part of `all`
#          train_router_balance (arm x seed) -> router_balance_metrics, expert_load, dispatch_volume
#          parameters, flop_breakdown, worked_token
MIXTRAL = config["mixtral"]
RACE_RUNS = expand(
    f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{{seed}}.csv", arm=["dense", "moe"], seed=MIXTRAL["race"]["seeds"]
)
ISOFLOP_RUNS, FULL_RUNS = (
    expand(
        f"{RESULTS}/mixtral/runs/{sweep}/{{arm}}_d{{width}}-seed{{seed}}.csv",
        arm=["dense", "moe"],
        width=MIXTRAL[sweep]["widths"],
        seed=MIXTRAL["race"]["seeds"],
    )
    for sweep in ("isoflop", "full")
)
ROUTER_RUNS = expand(
    f"{RESULTS}/mixtral/runs/router_balance/{{arm}}-seed{{seed}}.csv",
    arm=["no_aux", "with_aux", "with_aux_by_layer"],
    seed=MIXTRAL["router_balance"]["seeds"],
)
ROUTING = [run.replace(".csv", ".routing.safetensors") for run in ROUTER_RUNS]
ROUTING_OF_PAIRED = [path for path in ROUTING if "_by_layer" not in path]
SWEEP = (
    "mixtral.train_isoflop --arm {wildcards.arm} --seed {wildcards.seed} --width {wildcards.width}"
    " --draws {params.draws} --model {params.model} --training {params.optimiser} --device {params.device}"
    " --budgets {params.budgets} --race-budget {params.race_budget}"
    " --corpus {input.corpus} --out-rows {output.rows} --out-weights {output.weights}"
)


rule train_race:
    """Train one arm with one seed up to the FLOP budget."""
    input:
        code=code("mixtral.train_race"),
        corpus="data/prepared/mixtral_corpus.safetensors",
    output:
        rows=update(f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{{seed}}.csv"),
        weights=update(f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{{seed}}.safetensors"),
    log:
        f"logs/train_race/{RESULTS}/{{arm}}-seed{{seed}}.log",
    wildcard_constraints:
        arm="dense|moe",
        seed=Among("mixtral.race.seeds"),
    threads: TRAINING_THREADS
    resources:
        gpu=0 if config["device"] == "cpu" else 1,
    params:
        model=section("mixtral.model"),
        optimiser=section("mixtral.optimiser"),
        training=section("mixtral.race.training"),
        device=section("device"),
        draws="own",
    shell:
        job(
            "mixtral.train_race --arm {wildcards.arm} --seed {wildcards.seed} --draws {params.draws}"
            " --model {params.model} --training {params.optimiser} {params.training} --device {params.device}"
            " --corpus {input.corpus} --out-rows {output.rows} --out-weights {output.weights}"
        )


rule race_metrics:
    """Join the runs into one tidy table."""
    input:
        code=code("mixtral.race_metrics"),
        runs=RACE_RUNS,
    output:
        race=update(f"{RESULTS}/mixtral/metrics/race.csv"),
        equal=update(f"{RESULTS}/mixtral/metrics/race_equal_flops.csv"),
        axes=update(f"{RESULTS}/mixtral/metrics/race_matched_axes.csv"),
    log:
        f"logs/race_metrics/{RESULTS}.log",
    params:
        # DVC sees the runs as one folder; which of its files count is in the seeds.
        seeds=section("mixtral.race.seeds"),
    shell:
        job(
            "mixtral.race_metrics --runs {input.runs} --out {output.race} --out-equal {output.equal}"
            " --out-axes {output.axes}"
        )


rule train_isoflop:
    """Train one arm at one width with one seed through all FLOP budgets."""
    input:
        code=code("mixtral.train_isoflop"),
        corpus="data/prepared/mixtral_corpus.safetensors",
    output:
        rows=update(f"{RESULTS}/mixtral/runs/isoflop/{{arm}}_d{{width}}-seed{{seed}}.csv"),
        weights=update(f"{RESULTS}/mixtral/runs/isoflop/{{arm}}_d{{width}}-seed{{seed}}.safetensors"),
    log:
        f"logs/train_isoflop/{RESULTS}/{{arm}}_d{{width}}-seed{{seed}}.log",
    wildcard_constraints:
        arm="dense|moe",
        width=Among("mixtral.isoflop.widths"),
        seed=Among("mixtral.race.seeds"),
    threads: TRAINING_THREADS
    resources:
        gpu=0 if config["device"] == "cpu" else 1,
    params:
        model=section("mixtral.model"),
        optimiser=section("mixtral.optimiser"),
        budgets=section("mixtral.isoflop.budgets"),
        race_budget=section("mixtral.race.training.budget_flops"),
        device=section("device"),
        draws="own",
    shell:
        job(SWEEP)


rule isoflop_metrics:
    """Join the runs into one tidy table, and say how large the gap is and how many seeds tell it."""
    input:
        code=code("mixtral.isoflop_metrics"),
        runs=ISOFLOP_RUNS,
    output:
        points=update(f"{RESULTS}/mixtral/metrics/isoflop.csv"),
        gap=update(f"{RESULTS}/mixtral/metrics/isoflop_gap.csv"),
    log:
        f"logs/isoflop_metrics/{RESULTS}.log",
    params:
        seeds=section("mixtral.race.seeds"),
        widths=section("mixtral.isoflop.widths"),
        budgets=section("mixtral.isoflop.budgets"),
        race_budget=section("mixtral.race.training.budget_flops"),
    shell:
        job(
            "mixtral.isoflop_metrics --runs {input.runs} --budgets {params.budgets}"
            " --race-budget {params.race_budget} --out-points {output.points} --out-gap {output.gap}"
        )


rule train_full:
    """Train one arm at one width with one seed through all FLOP budgets of the full tier."""
    input:
        code=code("mixtral.train_isoflop"),
        corpus="data/prepared/mixtral_full.safetensors",
    output:
        rows=update(f"{RESULTS}/mixtral/runs/full/{{arm}}_d{{width}}-seed{{seed}}.csv"),
        weights=update(f"{RESULTS}/mixtral/runs/full/{{arm}}_d{{width}}-seed{{seed}}.safetensors"),
    log:
        f"logs/train_full/{RESULTS}/{{arm}}_d{{width}}-seed{{seed}}.log",
    wildcard_constraints:
        arm="dense|moe",
        width=Among("mixtral.full.widths"),
        seed=Among("mixtral.race.seeds"),
    threads: TRAINING_THREADS
    resources:
        gpu=0 if config["device"] == "cpu" else 1,
    params:
        model=section("mixtral.model"),
        optimiser=section("mixtral.optimiser"),
        budgets=section("mixtral.full.budgets"),
        race_budget=section("mixtral.race.training.budget_flops"),
        on_gpu=section("mixtral.full.on_gpu"),
        device=section("device"),
        draws="own",
    shell:
        job(f"{SWEEP} --on-gpu {{params.on_gpu}}")


use rule isoflop_metrics as full_metrics with:
    input:
        code=code("mixtral.isoflop_metrics"),
        runs=FULL_RUNS,
    output:
        points=update(f"{RESULTS}/mixtral/metrics/full.csv"),
        gap=update(f"{RESULTS}/mixtral/metrics/full_gap.csv"),
    log:
        f"logs/full_metrics/{RESULTS}.log",
    params:
        seeds=section("mixtral.race.seeds"),
        widths=section("mixtral.full.widths"),
        budgets=section("mixtral.full.budgets"),
        race_budget=section("mixtral.race.training.budget_flops"),


rule full_gap:
    """Draw the gap between the arms over the larger budgets."""
    input:
        code=code("mixtral.figures.isoflop_gap"),
        points=f"{RESULTS}/mixtral/metrics/full.csv",
        gap=f"{RESULTS}/mixtral/metrics/full_gap.csv",
    output:
        svg=update(f"{RESULTS}/mixtral/figures/full_gap.svg"),
        png=update(f"{RESULTS}/mixtral/figures/full_gap.png"),
    log:
        f"logs/full_gap/{RESULTS}.log",
    shell:
        job(
            "mixtral.figures.isoflop_gap --tables {input.points} {input.gap}"
            " --out-svg {output.svg} --out-png {output.png}"
        )


rule full:
    """Larger budgets and widths, for a GPU: snakemake --cores full --config mode=fast device=auto"""
    input:
        gap=f"{RESULTS}/mixtral/figures/full_gap.svg",


rule train_router_balance:
    """Train one MoE with or without the auxiliary loss, and keep what its routers did."""
    input:
        code=code("mixtral.train_router_balance"),
        corpus="data/prepared/mixtral_corpus.safetensors",
    output:
        rows=update(f"{RESULTS}/mixtral/runs/router_balance/{{arm}}-seed{{seed}}.csv"),
        weights=update(f"{RESULTS}/mixtral/runs/router_balance/{{arm}}-seed{{seed}}.safetensors"),
        routing=update(f"{RESULTS}/mixtral/runs/router_balance/{{arm}}-seed{{seed}}.routing.safetensors"),
    log:
        f"logs/train_router_balance/{RESULTS}/{{arm}}-seed{{seed}}.log",
    wildcard_constraints:
        arm="no_aux|with_aux|with_aux_by_layer",
        seed=Among("mixtral.router_balance.seeds"),
    threads: TRAINING_THREADS
    resources:
        gpu=0 if config["device"] == "cpu" else 1,
    params:
        model=section("mixtral.model"),
        optimiser=section("mixtral.optimiser"),
        training=section("mixtral.router_balance.training"),
        device=section("device"),
        draws="own",
    shell:
        job(
            "mixtral.train_router_balance --arm {wildcards.arm} --seed {wildcards.seed} --draws {params.draws}"
            " --model {params.model} --training {params.optimiser} {params.training} --device {params.device}"
            " --corpus {input.corpus} --out-rows {output.rows} --out-weights {output.weights}"
            " --out-routing {output.routing}"
        )


rule router_balance_metrics:
    """Turn the runs into tidy tables."""
    input:
        code=code("mixtral.router_metrics"),
        runs=ROUTER_RUNS,
        routing=ROUTING,
    output:
        balance=update(f"{RESULTS}/mixtral/metrics/router_balance.csv"),
        layers=update(f"{RESULTS}/mixtral/metrics/router_by_layer.csv"),
        usage=update(f"{RESULTS}/mixtral/metrics/expert_usage.csv"),
    log:
        f"logs/router_balance_metrics/{RESULTS}.log",
    params:
        seeds=section("mixtral.router_balance.seeds"),
        protocols=["paired", "by_layer"],
    shell:
        job(
            "mixtral.router_metrics --protocols {params.protocols} --runs {input.runs} --routing {input.routing}"
            " --out-balance {output.balance} --out-layers {output.layers} --out-usage {output.usage}"
        )


rule expert_load:
    """Count tokens per expert over windows of the served text."""
    input:
        code=code("mixtral.expert_load_windows"),
        routing=ROUTING_OF_PAIRED,
    output:
        load=update(f"{RESULTS}/mixtral/metrics/expert_load.csv"),
        windows=update(f"{RESULTS}/mixtral/metrics/expert_load_windows.csv"),
    log:
        f"logs/expert_load/{RESULTS}.log",
    params:
        seeds=section("mixtral.router_balance.seeds"),
        window_tokens=section("mixtral.telemetry.window_tokens"),
    shell:
        job(
            "mixtral.expert_load_windows --routing {input.routing} --window-tokens {params.window_tokens}"
            " --out {output.load} --out-windows {output.windows}"
        )


rule dispatch_volume:
    """Count the bytes that would cross devices if the experts were split over them."""
    input:
        code=code("mixtral.dispatch_volume"),
        routing=ROUTING_OF_PAIRED,
        configuration="data/configurations/mixtral_8x7b.yaml",
    output:
        volume=update(f"{RESULTS}/mixtral/metrics/dispatch_volume.csv"),
        uniform=update(f"{RESULTS}/mixtral/metrics/dispatch_volume_uniform.csv"),
    log:
        f"logs/dispatch_volume/{RESULTS}.log",
    params:
        seeds=section("mixtral.router_balance.seeds"),
        devices=section("mixtral.telemetry.devices"),
        bytes_per_value=section("mixtral.telemetry.bytes_per_value"),
    shell:
        job(
            "mixtral.dispatch_volume --routing {input.routing} --devices {params.devices}"
            " --bytes-per-value {params.bytes_per_value} --configuration {input.configuration}"
            " --out {output.volume} --out-uniform {output.uniform}"
        )


rule parameters:
    """Count the parameters of Mixtral 8x7B and of both arms, term by term."""
    input:
        code=code("mixtral.parameters"),
        configuration="data/configurations/mixtral_8x7b.yaml",
        corpus="data/prepared/mixtral_corpus.json",
    output:
        parameters=update(f"{RESULTS}/mixtral/metrics/parameters.csv"),
    log:
        f"logs/parameters/{RESULTS}.log",
    params:
        model=section("mixtral.model"),
    shell:
        job(
            "mixtral.parameters --configuration {input.configuration} --model {params.model}"
            " --corpus-info {input.corpus} --out {output.parameters}"
        )


rule flop_breakdown:
    """Count the FLOPs of one training step, part by part."""
    input:
        code=code("mixtral.flop_breakdown"),
        corpus="data/prepared/mixtral_corpus.json",
    output:
        flops=update(f"{RESULTS}/mixtral/metrics/flop_breakdown.csv"),
    log:
        f"logs/flop_breakdown/{RESULTS}.log",
    params:
        model=section("mixtral.model"),
        batch=section("mixtral.optimiser.batch"),
    shell:
        job(
            "mixtral.flop_breakdown --model {params.model} --batch {params.batch}"
            " --corpus-info {input.corpus} --out {output.flops}"
        )


rule worked_token:
    """Route the post's example of one token."""
    input:
        code=code("mixtral.worked_token"),
    output:
        token=update(f"{RESULTS}/mixtral/metrics/worked_token.csv"),
    log:
        f"logs/worked_token/{RESULTS}.log",
    params:
        logits=section("mixtral.worked_token.logits"),
        top_k=section("mixtral.model.top_k"),
    shell:
        job("mixtral.worked_token --logits {params.logits} --top-k {params.top_k} --out {output.token}")
