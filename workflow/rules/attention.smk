# Attention from scratch, its memory, and what heads of a pretrained model do.
#
# INPUTS   data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf, data/texts/sentences.csv, runs of the race, data/configurations
# OUTPUTS  results/attention/runs/heads and the tables of the post
# STEPS    head_runs, head_runs_{padded,race,hub} -> heads; the others one each
CHARTS["attention"] = {
    "attention_weights": ["attention_weights"],
    "softmax_scaling": ["softmax_scaling", "softmax_heads"],
    "sinusoidal_encoding": ["sinusoidal_encoding", "sinusoidal_wavelengths"],
    "head_entropy_heatmap": ["heads", "head_limits"],
    "head_layer_gradient": ["heads_by_layer", "head_limits"],
    "head_type_examples": ["head_examples"],
    "padding_effect": ["padding_effect"],
}
BESIDE["attention"] = {"score_memory": (["score_memory", "score_memory_fit"], measured("score_memory").get("score_memory", []))}
MEASURED["attention"] = {}
FIGURES["attention"] = [*CHARTS["attention"], *BESIDE["attention"]]
OTHERS["attention"] = ["llama2"]
HEAD_TABLES = [
    "heads",
    "heads_by_layer",
    "head_examples",
    "head_gradient",
    "head_gradient_shares",
    "padding_effect",
    "layer_generality",
    "general_layers",
    "head_limits",
    "head_limits_by_length",
]
TABLES["attention"] = [*HEAD_TABLES, "attention_check", "attention_order", "attention_weights", "softmax_scaling"]
TABLES["attention"] += ["softmax_heads", "sinusoidal_encoding", "sinusoidal_wavelengths", "score_memory"]
TABLES["attention"] += ["score_memory_fit", "kv_cache_loads", "public_models"]
PUBLIC["attention"] = ["gpt2", "gpt3", *(model for model in PUBLIC["llama2"] if model != "gpt2_xl")]

HEAD_MODELS = ["smollm2_135m", *(f"smollm2_135m_pad_{token}" for token in config["attention"]["other_padding"])]
HEAD_MODELS += [f"race_{arm}{weights}" for arm in ARMS for weights in ("_untrained", "")]
HEAD_MODELS += list(config["attention"]["hub_models"])
HEAD_MODELS.sort(key=lambda model: model != config["attention"]["drawn_model"])  # charts draw the first

HEAD_OPTIONS = " ".join(f"--out-{table.replace('_', '-')} {{output[{index}]}}" for index, table in enumerate(HEAD_TABLES))
RACE_SEED = config["mixtral"]["race"]["seeds"][0]
# Tables made by one command each, with the option and the name of the second table that some of them make.
SECOND = {
    "attention_check": ("--out-order", "attention_order"),
    "softmax_scaling": ("--out-heads", "softmax_heads"),
    "sinusoidal_encoding": ("--out-wavelengths", "sinusoidal_wavelengths"),
    "score_memory": ("--out-fit", "score_memory_fit"),
}


# What a loop's rules differ in stands in params: the text of `shell` is read when a job starts, after the loop.
for table, (option, second) in SECOND.items():

    rule:
        """Compute two tables of attention from scratch, or of its memory."""
        name:
            table
        input:
            code=code(f"attention.{table}"),
        output:
            update(f"{RESULTS}/attention/metrics/{table}.csv"),
            update(f"{RESULTS}/attention/metrics/{second}.csv"),
        log:
            f"logs/{table}/{RESULTS}.log",
        params:
            settings=section(f"attention.{table}"),
            option=option,
        shell:
            "{POSTPROOF} --log {log} attention.{rule} --settings {params.settings:q}"
            " --out {output[0]} {params.option} {output[1]}"


rule attention_weights:
    """Attend over the post's sentence with untrained weights."""
    input:
        code=code("attention.attention_weights"),
    output:
        update(f"{RESULTS}/attention/metrics/attention_weights.csv"),
    log:
        f"logs/attention_weights/{RESULTS}.log",
    params:
        settings=section("attention.attention_weights"),
    shell:
        "{POSTPROOF} --log {log} attention.attention_weights --settings {params.settings:q} --out {output}"


rule kv_cache_loads:
    """Count the bytes of the post's caches, with shared KV heads and without."""
    input:
        configurations=published(config["attention"]["kv_cache_loads"]["models"]),
        code=code("attention.kv_cache_loads"),
    output:
        update(f"{RESULTS}/attention/metrics/kv_cache_loads.csv"),
    log:
        f"logs/kv_cache_loads/{RESULTS}.log",
    params:
        settings=section("attention.kv_cache_loads"),
    shell:
        "{POSTPROOF} --log {log} attention.kv_cache_loads --configurations {input.configurations}"
        " --settings {params.settings:q} --out {output}"


rule head_runs:
    """Read every head of SmolLM2 over the sentences."""
    input:
        weights="data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf",
        sentences="data/texts/sentences.csv",
        code=code("attention.head_runs"),
    output:
        update(f"{RESULTS}/attention/runs/heads/smollm2_135m.safetensors"),
    log:
        f"logs/head_runs/{RESULTS}/smollm2_135m.log",
    params:
        sha256=section("llama2.model.sha256"),
        settings=section("attention.head_runs"),
    shell:
        "{POSTPROOF} --log {log} attention.head_runs --kind gguf --name smollm2_135m --weights {input.weights}"
        " --sha256 {params.sha256} --sentences {input.sentences} --settings {params.settings:q} --out {output}"


rule head_runs_padded:
    """The same with another token to pad with."""
    input:
        weights="data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf",
        sentences="data/texts/sentences.csv",
        code=code("attention.head_runs"),
    output:
        update(f"{RESULTS}/attention/runs/heads/smollm2_135m_pad_{{token}}.safetensors"),
    log:
        f"logs/head_runs_padded/{RESULTS}/{{token}}.log",
    wildcard_constraints:
        token="|".join(config["attention"]["other_padding"]),
    params:
        sha256=section("llama2.model.sha256"),
        pad_id=lambda wildcards: Section(f"attention.other_padding.{wildcards.token}"),
        settings=section("attention.head_runs"),
    shell:
        "{POSTPROOF} --log {log} attention.head_runs --kind gguf --name smollm2_135m_pad_{wildcards.token}"
        " --weights {input.weights} --sha256 {params.sha256} --pad-id {params.pad_id} --sentences {input.sentences}"
        " --settings {params.settings:q} --out {output}"


for suffix, option in {"": "", "_untrained": "--untrained"}.items():

    rule:
        """The same of a model of the race, after training or before."""
        name:
            f"head_runs_race{suffix}"
        input:
            weights=f"{RESULTS}/mixtral/runs/race/{{arm}}-seed{RACE_SEED}.safetensors",
            corpus="data/prepared/mixtral_corpus.json",
            sentences="data/texts/sentences.csv",
            code=code("attention.head_runs_race"),
        output:
            update(f"{RESULTS}/attention/runs/heads/race_{{arm}}{suffix}.safetensors"),
        log:
            f"logs/head_runs_race{suffix}/{RESULTS}/{{arm}}.log",
        wildcard_constraints:
            arm="|".join(ARMS),
        params:
            name=lambda wildcards, output: Path(output[0]).stem,
            option=option,
            model=section("mixtral.model"),
            settings=section("attention.head_runs"),
        shell:
            "{POSTPROOF} --log {log} attention.head_runs_race {params.option} --name {params.name}"
            " --weights {input.weights} --model {params.model:q} --corpus-info {input.corpus}"
            " --sentences {input.sentences} --settings {params.settings:q} --out {output}"


rule head_runs_hub:
    """The same of a model in a folder, or in the cache of a model hub, read by transformers."""
    input:
        sentences="data/texts/sentences.csv",
        code=code("attention.head_runs"),
    output:
        update(f"{RESULTS}/attention/runs/heads/{{model}}.safetensors"),
    log:
        f"logs/head_runs_hub/{RESULTS}/{{model}}.log",
    wildcard_constraints:
        model="|".join(config["attention"]["hub_models"]) or "none",
    params:
        weights=lambda wildcards: Section(f"attention.hub_models.{wildcards.model}"),
        settings=section("attention.head_runs"),
    shell:
        "{POSTPROOF} --log {log} attention.head_runs --kind hub --name {wildcards.model} --weights {params.weights:q}"
        " --sentences {input.sentences} --settings {params.settings:q} --out {output}"


rule heads:
    """Turn what was read of each model's heads into tables."""
    input:
        runs=expand(f"{RESULTS}/attention/runs/heads/{{model}}.safetensors", model=HEAD_MODELS),
        code=code("attention.heads"),
    output:
        [update(f"{RESULTS}/attention/metrics/{table}.csv") for table in HEAD_TABLES],
    log:
        f"logs/heads/{RESULTS}.log",
    params:
        settings=section("attention.heads"),
        # No options of the command: which runs it gets, and which first. DVC's stage knows of that by these alone.
        hub_models=section("attention.hub_models"),
        drawn_model=section("attention.drawn_model"),
    shell:
        "{POSTPROOF} --log {log} attention.heads --runs {input.runs} --settings {params.settings:q} " + HEAD_OPTIONS
