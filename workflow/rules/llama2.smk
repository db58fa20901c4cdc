# Rotary positions, norms, and the KV cache: tables by formula and by small computations.
#
# INPUTS   data/configurations (published models and a device)
# OUTPUTS  the tables of the post in results/llama2/metrics
# STEPS    one each
CHARTS["llama2"] = {
    "rope_rotation_angles": ["rope_angles"],
    "rope_decay": ["rope_decay"],
    "rope_theta": ["rope_theta", "rope_theta_contexts"],
    "rope_diagram": ["rope_diagram", "rope_scores"],
    "kv_max_batch": ["kv_max_batch"],
    "decode_bytes": ["decode_bytes"],
    "serving_budget": ["serving_budget", "serving_loads"],
    "ablation": ["ablation"],
}
TABLES["llama2"] = sorted({table for tables in CHARTS["llama2"].values() for table in tables})
TABLES["llama2"] += ["rope_check", "rope_decay_readings", "norm_check", "kv_cache_memory", "public_models"]
MEASURED["llama2"] = measured("norm_speed", "decode_speed", "llama_speed")
BESIDE["llama2"] = {"kv_cache_memory": (["kv_cache_memory"], measured("kv_cache_alloc").get("kv_cache_alloc", []))}
FIGURES["llama2"] = [*CHARTS["llama2"], *BESIDE["llama2"], *MEASURED["llama2"]]

COMPARED = ["gpt2_xl", "llama2_7b", "llama2_70b"]
SERVED = ["llama1_65b", "llama2_7b", "llama2_70b"]
PUBLIC = {}  # by post: models of its table of public ones
PUBLIC["llama2"] = [
    "gpt2_xl",
    "llama1_65b",
    *(f"llama2_{size}" for size in ["7b", "13b", "34b", "70b"]),
    "falcon_180b",
    "mistral_7b",
    "gemma_7b",
    "llama3_0_8b",
    *(f"llama3_{size}" for size in ["8b", "70b", "405b"]),
    "phi3_mini",
    "phi3_medium",
    "gemma2_9b",
    "gemma2_27b",
    "qwen2_5_7b",
]


def published(models):
    return expand("data/configurations/{model}.yaml", model=models)


def section_of_table(wildcards):
    return Section(f"llama2.{wildcards.table}")


rule rope_table:
    """Compute angles, errors or scores of rotated vectors."""
    input:
        code=lambda wildcards: code(f"llama2.{wildcards.table}"),
    output:
        update(f"{RESULTS}/llama2/metrics/{{table}}.csv"),
    log:
        f"logs/rope_table/{RESULTS}/{{table}}.log",
    wildcard_constraints:
        table="rope_check|rope_angles|rope_decay",
    params:
        head=section("llama2.head"),
        settings=section_of_table,
    shell:
        "{POSTPROOF} --log {log} llama2.{wildcards.table} --settings {params.head:q} {params.settings:q} --out {output}"


rule rope_decay_readings:
    """Read the posted curves of scores over distance in other ways."""
    input:
        code=code("llama2.rope_decay_readings"),
    output:
        update(f"{RESULTS}/llama2/metrics/rope_decay_readings.csv"),
    log:
        f"logs/rope_decay_readings/{RESULTS}.log",
    params:
        head=section("llama2.head"),
        settings=section("llama2.rope_decay"),
    shell:
        "{POSTPROOF} --log {log} llama2.rope_decay_readings --settings {params.head:q} {params.settings:q} --out {output}"


rule rope_theta:
    """Tabulate rates and wavelengths of both bases, and what turns less than once in a context."""
    input:
        code=code("llama2.rope_theta"),
    output:
        pairs=update(f"{RESULTS}/llama2/metrics/rope_theta.csv"),
        contexts=update(f"{RESULTS}/llama2/metrics/rope_theta_contexts.csv"),
    log:
        f"logs/rope_theta/{RESULTS}.log",
    params:
        head=section("llama2.head"),
        settings=section("llama2.rope_theta"),
    shell:
        "{POSTPROOF} --log {log} llama2.rope_theta --settings {params.head:q} {params.settings:q}"
        " --out {output.pairs} --out-contexts {output.contexts}"


rule rope_diagram:
    """Rotate vectors for the diagram."""
    input:
        code=code("llama2.rope_diagram"),
    output:
        arrows=update(f"{RESULTS}/llama2/metrics/rope_diagram.csv"),
        scores=update(f"{RESULTS}/llama2/metrics/rope_scores.csv"),
    log:
        f"logs/rope_diagram/{RESULTS}.log",
    params:
        head=section("llama2.head"),
        settings=section("llama2.rope_diagram"),
    shell:
        "{POSTPROOF} --log {log} llama2.rope_diagram --settings {params.head:q} {params.settings:q}"
        " --out {output.arrows} --out-scores {output.scores}"


rule norm_check:
    """Hold RMSNorm and LayerNorm against torch's and against what is said of them."""
    input:
        code=code("llama2.norm_check"),
    output:
        update(f"{RESULTS}/llama2/metrics/norm_check.csv"),
    log:
        f"logs/norm_check/{RESULTS}.log",
    params:
        settings=section("llama2.norm_check"),
    shell:
        "{POSTPROOF} --log {log} llama2.norm_check --settings {params.settings:q} --out {output}"


rule kv_table:
    """Count the bytes of the posted models' caches, or how many fit."""
    input:
        configurations=published(COMPARED),
        code=lambda wildcards: code(f"llama2.{wildcards.table}"),
    output:
        update(f"{RESULTS}/llama2/metrics/{{table}}.csv"),
    log:
        f"logs/kv_table/{RESULTS}/{{table}}.log",
    wildcard_constraints:
        table="kv_cache_memory|kv_max_batch",
    params:
        settings=section_of_table,
    shell:
        "{POSTPROOF} --log {log} llama2.{wildcards.table} --configurations {input.configurations}"
        " --settings {params.settings:q} --out {output}"


rule decode_bytes:
    """Count the bytes that one decode step reads."""
    input:
        configurations=published(["llama2_7b", "llama2_70b"]),
        device="data/configurations/a100_80gb.yaml",
        code=code("llama2.decode_bytes"),
    output:
        update(f"{RESULTS}/llama2/metrics/decode_bytes.csv"),
    log:
        f"logs/decode_bytes/{RESULTS}.log",
    params:
        settings=section("llama2.decode_bytes"),
    shell:
        "{POSTPROOF} --log {log} llama2.decode_bytes --configurations {input.configurations} --device {input.device}"
        " --settings {params.settings:q} --out {output}"


rule serving_budget:
    """Count the users that fit beside the weights, and the memory of the posted loads."""
    input:
        configurations=published(SERVED),
        device="data/configurations/a100_80gb.yaml",
        code=code("llama2.serving_budget"),
    output:
        budget=update(f"{RESULTS}/llama2/metrics/serving_budget.csv"),
        loads=update(f"{RESULTS}/llama2/metrics/serving_loads.csv"),
    log:
        f"logs/serving_budget/{RESULTS}.log",
    params:
        settings=section("llama2.serving_budget"),
    shell:
        "{POSTPROOF} --log {log} llama2.serving_budget --configurations {input.configurations} --device {input.device}"
        " --settings {params.settings:q} --out-budget {output.budget} --out-loads {output.loads}"


rule public_models:
    """Tabulate published models: norm, KV heads, rope base, context."""
    input:
        configurations=lambda wildcards: published(PUBLIC[wildcards.post]),
        code=code("llama2.public_models"),
    output:
        update(f"{RESULTS}/{{post}}/metrics/public_models.csv"),
    log:
        f"logs/public_models/{RESULTS}/{{post}}.log",
    shell:
        "{POSTPROOF} --log {log} llama2.public_models --configurations {input.configurations} --out {output}"
