# Reinforcement learning: first principles
#
# INPUTS   none
# OUTPUTS  the tables of the post in results/rl_intro/metrics
# STEPS    one each


rule learning_curves:
    """Follow the mean of random numbers."""
    input:
        code=code("rl_intro.learning_curves"),
    output:
        table=update(f"{RESULTS}/rl_intro/metrics/learning_curves.csv"),
    log:
        f"logs/learning_curves/{RESULTS}.log",
    params:
        settings=section("rl_intro.learning_curves"),
    shell:
        job("rl_intro.learning_curves --settings {params.settings:q} --out {output.table}")
