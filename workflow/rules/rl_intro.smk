# Agents that learn from rewards in a maze, exactly solved beside them.
#
# INPUTS   data/published (figures of the book)
# OUTPUTS  the tables of the post in results/rl_intro/metrics
# STEPS    one each


rule world_facts:
    """Compute what the world asks of an agent."""
    input:
        code=code("rl_intro.world_facts"),
    output:
        table=update(f"{RESULTS}/rl_intro/metrics/world_facts.csv"),
    log:
        f"logs/world_facts/{RESULTS}.log",
    params:
        learning=section("rl_intro.learning"),
    shell:
        job("rl_intro.world_facts --settings {params.learning}" " --out {output.table}")


rule learning_curves:
    """Learn with and without planning."""
    input:
        printed="data/published/sutton_barto_2018_learning.yaml",
        code=code("rl_intro.learning_curves"),
    output:
        table=update(f"{RESULTS}/rl_intro/metrics/learning_curves.csv"),
        agents=update(f"{RESULTS}/rl_intro/metrics/agents.csv"),
        learned=update(f"{RESULTS}/rl_intro/metrics/learned_policies.csv"),
        values=update(f"{RESULTS}/rl_intro/metrics/value_and_policy.csv"),
    log:
        f"logs/learning_curves/{RESULTS}.log",
    params:
        learning=section("rl_intro.learning"),
        settings=section("rl_intro.learning_curves"),
    shell:
        job(
            "rl_intro.learning_curves --settings {params.learning} {params.settings} --printed {input.printed}"
            " --out {output.table} --out-agents {output.agents} --out-learned {output.learned} --out-values {output.values}"
        )


rule changing_world:
    """Let agents act in mazes that change."""
    input:
        code=code("rl_intro.changing_world"),
    output:
        table=update(f"{RESULTS}/rl_intro/metrics/changing_world.csv"),
        adapted=update(f"{RESULTS}/rl_intro/metrics/adaptation.csv"),
    log:
        f"logs/changing_world/{RESULTS}.log",
    params:
        learning=section("rl_intro.learning"),
        settings=section("rl_intro.changing_world"),
    shell:
        job(
            "rl_intro.changing_world --settings {params.learning} {params.settings}"
            " --out {output.table} --out-adapted {output.adapted}"
        )


rule limits:
    """Learn until values come to their limits."""
    input:
        code=code("rl_intro.limits"),
    output:
        table=update(f"{RESULTS}/rl_intro/metrics/limits.csv"),
    log:
        f"logs/limits/{RESULTS}.log",
    params:
        learning=section("rl_intro.learning"),
        settings=section("rl_intro.limits"),
    shell:
        job("rl_intro.limits --settings {params.learning} {params.settings}" " --out {output.table}")


rule what_is_needed:
    """Take away one thing at a time."""
    input:
        code=code("rl_intro.what_is_needed"),
    output:
        table=update(f"{RESULTS}/rl_intro/metrics/what_is_needed.csv"),
    log:
        f"logs/what_is_needed/{RESULTS}.log",
    params:
        learning=section("rl_intro.learning"),
        settings=section("rl_intro.what_is_needed"),
    shell:
        job("rl_intro.what_is_needed --settings {params.learning} {params.settings}" " --out {output.table}")


rule three_ways:
    """Learn with labels, without any, and from rewards."""
    input:
        code=code("rl_intro.three_ways"),
    output:
        table=update(f"{RESULTS}/rl_intro/metrics/three_ways.csv"),
        clusters=update(f"{RESULTS}/rl_intro/metrics/clusters.csv"),
    log:
        f"logs/three_ways/{RESULTS}.log",
    params:
        learning=section("rl_intro.learning"),
        settings=section("rl_intro.three_ways"),
    shell:
        job(
            "rl_intro.three_ways --settings {params.learning} {params.settings}"
            " --out {output.table} --out-clusters {output.clusters}"
        )
