# Rotary positions, norms, the KV cache, and a real Llama with one technique at a time changed.
#
# INPUTS   data/configurations (published models and a device), data/prepared (a pretrained model, texts)
# OUTPUTS  the tables of the post in results/llama2/metrics
# STEPS    one each
#
# What a rule takes as `params` and does not hand on decides which files it gets: DVC follows a change of it.


rule rope_check:
    """Compute the errors of the rotation."""
    input:
        code=code("llama2.rope_check"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/rope_check.csv"),
    log:
        f"logs/rope_check/{RESULTS}.log",
    params:
        head=section("llama2.head"),
        settings=section("llama2.rope_check"),
    shell:
        job("llama2.rope_check --settings {params.head} {params.settings} --out {output.table}")


rule rope_check_as_run:
    """Compute the errors of the rotation with the vectors and positions that the posted check drew."""
    input:
        code=code("llama2.rope_check_as_run"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/rope_check_as_run.csv"),
    log:
        f"logs/rope_check_as_run/{RESULTS}.log",
    params:
        head=section("llama2.head"),
        settings=section("llama2.rope_check"),
        as_run=section("llama2.rope_check_as_run"),
    shell:
        job(
            "llama2.rope_check_as_run --settings {params.head} {params.settings} {params.as_run}"
            " --out {output.table}"
        )


rule rope_angles:
    """Compute the angle of each pair of features at each position."""
    input:
        code=code("llama2.rope_angles"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/rope_angles.csv"),
    log:
        f"logs/rope_angles/{RESULTS}.log",
    params:
        head=section("llama2.head"),
        settings=section("llama2.rope_angles"),
    shell:
        job("llama2.rope_angles --settings {params.head} {params.settings} --out {output.table}")


rule rope_decay:
    """Compute scores of unit vectors over their distance."""
    input:
        code=code("llama2.rope_decay"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/rope_decay.csv"),
    log:
        f"logs/rope_decay/{RESULTS}.log",
    params:
        head=section("llama2.head"),
        settings=section("llama2.rope_decay"),
    shell:
        job("llama2.rope_decay --settings {params.head} {params.settings} --out {output.table}")


rule rope_decay_readings:
    """Read the posted curves of scores over distance in other ways."""
    input:
        code=code("llama2.rope_decay_readings"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/rope_decay_readings.csv"),
    log:
        f"logs/rope_decay_readings/{RESULTS}.log",
    params:
        head=section("llama2.head"),
        settings=section("llama2.rope_decay"),
    shell:
        job("llama2.rope_decay_readings --settings {params.head} {params.settings} --out {output.table}")


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
        job(
            "llama2.rope_theta --settings {params.head} {params.settings}"
            " --out {output.pairs} --out-contexts {output.contexts}"
        )


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
        job(
            "llama2.rope_diagram --settings {params.head} {params.settings}"
            " --out {output.arrows} --out-scores {output.scores}"
        )


rule norm_check:
    """Hold RMSNorm and LayerNorm against torch's and against what is said of them."""
    input:
        code=code("llama2.norm_check"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/norm_check.csv"),
    log:
        f"logs/norm_check/{RESULTS}.log",
    params:
        settings=section("llama2.norm_check"),
    shell:
        job("llama2.norm_check --settings {params.settings} --out {output.table}")


rule public_models:
    """Tabulate published models: norm, KV heads, rope base, context."""
    input:
        code=code("published.public_models"),
        configurations=published("llama2.public_models.models"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/public_models.csv"),
    log:
        f"logs/public_models/{RESULTS}.log",
    params:
        models=section("llama2.public_models.models"),
    shell:
        job("published.public_models --configurations {input.configurations} --out {output.table}")


rule kv_cache_memory:
    """Count the bytes of the posted models' caches."""
    input:
        code=code("llama2.kv_cache_memory"),
        varied=published("llama2.kv_models.varied"),
        beside=published("llama2.kv_models.compared"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/kv_cache_memory.csv"),
    log:
        f"logs/kv_cache_memory/{RESULTS}.log",
    params:
        varied=section("llama2.kv_models.varied"),
        beside=section("llama2.kv_models.compared"),
        settings=section("llama2.kv_cache_memory"),
    shell:
        job(
            "llama2.kv_cache_memory --varied {input.varied} --beside {input.beside}"
            " --settings {params.settings} --out {output.table}"
        )


rule kv_max_batch:
    """Count the sequences whose caches fit into a budget."""
    input:
        code=code("llama2.kv_max_batch"),
        varied=published("llama2.kv_models.varied"),
        beside=published("llama2.kv_models.compared"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/kv_max_batch.csv"),
        posted=update(f"{RESULTS}/llama2/metrics/kv_posted_batch.csv"),
    log:
        f"logs/kv_max_batch/{RESULTS}.log",
    params:
        varied=section("llama2.kv_models.varied"),
        beside=section("llama2.kv_models.compared"),
        settings=section("llama2.kv_max_batch"),
    shell:
        job(
            "llama2.kv_max_batch --varied {input.varied} --beside {input.beside}"
            " --settings {params.settings} --out {output.table} --out-posted {output.posted}"
        )


rule decode_bytes:
    """Count the bytes that one decode step reads."""
    input:
        code=code("llama2.decode_bytes"),
        configurations=published("llama2.kv_models.varied", "llama2.kv_models.decoding"),
        device=published("llama2.accelerator"),
    output:
        table=update(f"{RESULTS}/llama2/metrics/decode_bytes.csv"),
    log:
        f"logs/decode_bytes/{RESULTS}.log",
    params:
        varied=section("llama2.kv_models.varied"),
        beside=section("llama2.kv_models.decoding"),
        device=section("llama2.accelerator"),
        settings=section("llama2.decode_bytes"),
    shell:
        job(
            "llama2.decode_bytes --configurations {input.configurations} --device {input.device}"
            " --settings {params.settings} --out {output.table}"
        )


rule serving_budget:
    """Count the users that fit beside the weights, and the memory of the posted loads."""
    input:
        code=code("llama2.serving_budget"),
        varied=published("llama2.kv_models.varied"),
        beside=published("llama2.kv_models.served"),
        device=published("llama2.accelerator"),
    output:
        budget=update(f"{RESULTS}/llama2/metrics/serving_budget.csv"),
        loads=update(f"{RESULTS}/llama2/metrics/serving_loads.csv"),
    log:
        f"logs/serving_budget/{RESULTS}.log",
    params:
        varied=section("llama2.kv_models.varied"),
        beside=section("llama2.kv_models.served"),
        device=section("llama2.accelerator"),
        settings=section("llama2.serving_budget"),
    shell:
        job(
            "llama2.serving_budget --varied {input.varied} --beside {input.beside} --device {input.device}"
            " --settings {params.settings} --out-budget {output.budget} --out-loads {output.loads}"
        )


rule ablation:
    """Score a pretrained model with each technique changed."""
    input:
        code=code("llama2.ablation"),
        model="data/prepared/SmolLM2-135M-Instruct.Q4_1.gguf",
        texts="data/prepared/held_texts.json",
    output:
        table=update(f"{RESULTS}/llama2/metrics/ablation.csv"),
    log:
        f"logs/ablation/{RESULTS}.log",
    resources:
        mem_mb=holding(2500),
    params:
        sha256=section("llama2.model.sha256"),
        settings=section("llama2.ablation"),
    shell:
        job(
            "llama2.ablation --model {input.model} --sha256 {params.sha256} --texts {input.texts}"
            " --settings {params.settings} --out {output.table}"
        )
