# Attention from scratch, its memory, and what heads of a pretrained model do.
#
# INPUTS   data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf, data/texts/sentences.csv, runs of the race, data/configurations
# OUTPUTS  results/attention/runs/heads and the tables of the post
# STEPS    head_runs, head_runs_{padded,race,race_untrained,hub} -> heads; the others one each
HEAD_MODELS = [
    "smollm2_135m",
    *(f"smollm2_135m_pad_{token}" for token in config["attention"]["other_padding"]),
    *(f"race_{arm}{weights}" for arm in ("dense", "moe") for weights in ("_untrained", "")),
    *config["attention"]["hub_models"],
]


rule attention_check:
    """Compare attention from scratch with torch's and a float64 reference; permute tokens."""
    input:
        code=code("attention.attention_check"),
    output:
        check=update(f"{RESULTS}/attention/metrics/attention_check.csv"),
        order=update(f"{RESULTS}/attention/metrics/attention_order.csv"),
    log:
        f"logs/attention_check/{RESULTS}.log",
    params:
        settings=section("attention.attention_check"),
    shell:
        job("attention.attention_check --settings {params.settings} --out {output.check} --out-order {output.order}")


rule softmax_scaling:
    """Compute scores and softmax with and without the division, by d_k and by number of heads."""
    input:
        code=code("attention.softmax_scaling"),
    output:
        scaling=update(f"{RESULTS}/attention/metrics/softmax_scaling.csv"),
        heads=update(f"{RESULTS}/attention/metrics/softmax_heads.csv"),
    log:
        f"logs/softmax_scaling/{RESULTS}.log",
    resources:
        mem_mb=holding(1200),
    params:
        settings=section("attention.softmax_scaling"),
    shell:
        job(
            "attention.softmax_scaling --settings {params.settings} --out {output.scaling}"
            " --out-heads {output.heads}"
        )


rule sinusoidal_encoding:
    """Tabulate the sinusoidal encoding, and how long its waves are."""
    input:
        code=code("attention.sinusoidal_encoding"),
    output:
        encoding=update(f"{RESULTS}/attention/metrics/sinusoidal_encoding.csv"),
        wavelengths=update(f"{RESULTS}/attention/metrics/sinusoidal_wavelengths.csv"),
    log:
        f"logs/sinusoidal_encoding/{RESULTS}.log",
    params:
        settings=section("attention.sinusoidal_encoding"),
    shell:
        job(
            "attention.sinusoidal_encoding --settings {params.settings} --out {output.encoding}"
            " --out-wavelengths {output.wavelengths}"
        )


rule attention_weights:
    """Attend over the post's sentence with untrained weights."""
    input:
        code=code("attention.attention_weights"),
    output:
        weights=update(f"{RESULTS}/attention/metrics/attention_weights.csv"),
    log:
        f"logs/attention_weights/{RESULTS}.log",
    params:
        settings=section("attention.attention_weights"),
    shell:
        job("attention.attention_weights --settings {params.settings} --out {output.weights}")


rule score_memory:
    """Model the peak bytes of a layer over the sequence, and fit polynomials to them."""
    input:
        code=code("attention.score_memory"),
    output:
        memory=update(f"{RESULTS}/attention/metrics/score_memory.csv"),
        fit=update(f"{RESULTS}/attention/metrics/score_memory_fit.csv"),
    log:
        f"logs/score_memory/{RESULTS}.log",
    params:
        settings=section("attention.score_memory"),
    shell:
        job("attention.score_memory --settings {params.settings} --out {output.memory} --out-fit {output.fit}")


rule attention_public_models:
    """Tabulate published models: norm, KV heads, rope base, context."""
    input:
        code=code("published.public_models"),
        configurations=published("attention.public_models.models"),
    output:
        table=update(f"{RESULTS}/attention/metrics/public_models.csv"),
    log:
        f"logs/attention_public_models/{RESULTS}.log",
    params:
        models=section("attention.public_models.models"),  # no option: which files it gets
    shell:
        job("published.public_models --configurations {input.configurations} --out {output.table}")


rule kv_cache_loads:
    """Count the bytes of the post's caches, with shared KV heads and without."""
    input:
        code=code("attention.kv_cache_loads"),
        configurations=published("attention.kv_cache_loads.models"),
    output:
        table=update(f"{RESULTS}/attention/metrics/kv_cache_loads.csv"),
    log:
        f"logs/kv_cache_loads/{RESULTS}.log",
    params:
        settings=section("attention.kv_cache_loads"),
    shell:
        job(
            "attention.kv_cache_loads --configurations {input.configurations} --settings {params.settings}"
            " --out {output.table}"
        )


rule head_runs:
    """Read every head of SmolLM2 over the sentences."""
    input:
        code=code("attention.heads.pretrained_runs"),
        weights="data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf",
        sentences="data/texts/sentences.csv",
    output:
        run=update(f"{RESULTS}/attention/runs/heads/smollm2_135m.safetensors"),
    log:
        f"logs/head_runs/{RESULTS}/smollm2_135m.log",
    resources:
        mem_mb=holding(2000),
    params:
        sha256=section("llama2.model.sha256"),
        settings=section("attention.head_runs"),
    shell:
        job(
            "attention.heads.pretrained_runs --kind gguf --name smollm2_135m --weights {input.weights}"
            " --sha256 {params.sha256} --sentences {input.sentences} --settings {params.settings} --out {output.run}"
        )


rule head_runs_padded:
    """The same with another token to pad with."""
    input:
        code=code("attention.heads.pretrained_runs"),
        weights="data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf",
        sentences="data/texts/sentences.csv",
    output:
        run=update(f"{RESULTS}/attention/runs/heads/smollm2_135m_pad_{{token}}.safetensors"),
    log:
        f"logs/head_runs_padded/{RESULTS}/{{token}}.log",
    wildcard_constraints:
        token=Among("attention.other_padding"),
    resources:
        mem_mb=holding(2000),
    params:
        sha256=section("llama2.model.sha256"),
        pad_id=section("attention.other_padding.{token}"),
        settings=section("attention.head_runs"),
    shell:
        job(
            "attention.heads.pretrained_runs --kind gguf --name smollm2_135m_pad_{wildcards.token}"
            " --weights {input.weights} --sha256 {params.sha256} --pad-id {params.pad_id} --sentences {input.sentences}"
            " --settings {params.settings} --out {output.run}"
        )


rule head_runs_race:
    """The same of a model of the race after training, in the run of the post's seed."""
    input:
        code=code("attention.heads.race_runs"),
        weights=f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{config['mixtral']['race']['posted_seed']}.safetensors",
        corpus="data/prepared/mixtral_corpus.json",
        sentences="data/texts/sentences.csv",
    output:
        run=update(f"{RESULTS}/attention/runs/heads/race_{{arm}}.safetensors"),
    log:
        f"logs/head_runs_race/{RESULTS}/{{arm}}.log",
    wildcard_constraints:
        arm="dense|moe",
    params:
        model=section("mixtral.model"),
        settings=section("attention.head_runs"),
        seed=section("mixtral.race.posted_seed"),  # no option: which run it gets
    shell:
        job(
            "attention.heads.race_runs --name race_{wildcards.arm} --weights {input.weights}"
            " --model {params.model} --corpus-info {input.corpus} --sentences {input.sentences}"
            " --settings {params.settings} --out {output.run}"
        )


rule head_runs_race_untrained:
    """The same of a model of the race with the weights that its run began with."""
    input:
        code=code("attention.heads.race_runs"),
        weights=f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{config['mixtral']['race']['posted_seed']}.safetensors",
        corpus="data/prepared/mixtral_corpus.json",
        sentences="data/texts/sentences.csv",
    output:
        run=update(f"{RESULTS}/attention/runs/heads/race_{{arm}}_untrained.safetensors"),
    log:
        f"logs/head_runs_race_untrained/{RESULTS}/{{arm}}.log",
    wildcard_constraints:
        arm="dense|moe",
    params:
        model=section("mixtral.model"),
        settings=section("attention.head_runs"),
        seed=section("mixtral.race.posted_seed"),  # no option: which run it gets
    shell:
        job(
            "attention.heads.race_runs --untrained --name race_{wildcards.arm}_untrained --weights {input.weights}"
            " --model {params.model} --corpus-info {input.corpus} --sentences {input.sentences}"
            " --settings {params.settings} --out {output.run}"
        )


rule head_runs_hub:
    """The same of a model in a folder, or in the cache of a model hub, read by transformers."""
    input:
        code=code("attention.heads.pretrained_runs"),
        sentences="data/texts/sentences.csv",
    output:
        run=update(f"{RESULTS}/attention/runs/heads/{{model}}.safetensors"),
    log:
        f"logs/head_runs_hub/{RESULTS}/{{model}}.log",
    wildcard_constraints:
        model=Among("attention.hub_models"),
    resources:
        mem_mb=holding(2000),
    params:
        weights=section("attention.hub_models.{model}"),
        settings=section("attention.head_runs"),
    shell:
        job(
            "attention.heads.pretrained_runs --kind hub --name {wildcards.model} --weights {params.weights}"
            " --sentences {input.sentences} --settings {params.settings} --out {output.run}"
        )


rule heads:
    """Turn what was read of each model's heads into tables."""
    input:
        code=code("attention.heads.tabulate"),
        runs=expand(f"{RESULTS}/attention/runs/heads/{{model}}.safetensors", model=HEAD_MODELS),
    output:
        heads=update(f"{RESULTS}/attention/metrics/heads.csv"),
        heads_by_layer=update(f"{RESULTS}/attention/metrics/heads_by_layer.csv"),
        head_examples=update(f"{RESULTS}/attention/metrics/head_examples.csv"),
        head_gradient=update(f"{RESULTS}/attention/metrics/head_gradient.csv"),
        head_gradient_shares=update(f"{RESULTS}/attention/metrics/head_gradient_shares.csv"),
        padding_effect=update(f"{RESULTS}/attention/metrics/padding_effect.csv"),
        general_layers=update(f"{RESULTS}/attention/metrics/general_layers.csv"),
        head_limits=update(f"{RESULTS}/attention/metrics/head_limits.csv"),
    log:
        f"logs/heads/{RESULTS}.log",
    params:
        settings=section("attention.heads"),
        drawn=section("attention.drawn_model"),
        # No options: which runs it gets.
        other_padding=section("attention.other_padding"),
        hub_models=section("attention.hub_models"),
    shell:
        job(
            "attention.heads.tabulate --runs {input.runs} --drawn {params.drawn} --settings {params.settings}"
            " --out-heads {output.heads} --out-heads-by-layer {output.heads_by_layer}"
            " --out-head-examples {output.head_examples} --out-head-gradient {output.head_gradient}"
            " --out-head-gradient-shares {output.head_gradient_shares} --out-padding-effect {output.padding_effect}"
            " --out-general-layers {output.general_layers} --out-head-limits {output.head_limits}"
        )
