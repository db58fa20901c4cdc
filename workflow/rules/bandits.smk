# Exploration vs. exploitation: multi-armed bandits
#
# INPUTS   none: every number is drawn
# OUTPUTS  the tables of the post in results/bandits/metrics
# STEPS    one each


rule testbed:
    """Draw rewards of the example problem, and the best values of random ones."""
    input:
        code=code("bandits.testbed"),
    output:
        table=update(f"{RESULTS}/bandits/metrics/testbed.csv"),
        best=update(f"{RESULTS}/bandits/metrics/testbed_best.csv"),
        possible=update(f"{RESULTS}/bandits/metrics/testbed_possible.csv"),
    log:
        f"logs/bandits_testbed/{RESULTS}.log",
    params:
        testbed=section("bandits.testbed"),
        example=section("bandits.example"),
    shell:
        job(
            "bandits.testbed --settings {params.testbed} {params.example}"
            " --out {output.table} --out-best {output.best} --out-possible {output.possible}"
        )


rule epsilon_greedy:
    """Play greedy and epsilon-greedy agents far beyond the posted run."""
    input:
        code=code("bandits.epsilon_greedy"),
    output:
        table=update(f"{RESULTS}/bandits/metrics/epsilon_greedy.csv"),
        crossing=update(f"{RESULTS}/bandits/metrics/epsilon_greedy_crossing.csv"),
        caps=update(f"{RESULTS}/bandits/metrics/epsilon_greedy_caps.csv"),
    log:
        f"logs/bandits_epsilon_greedy/{RESULTS}.log",
    params:
        testbed=section("bandits.testbed"),
        agents=section("bandits.agents"),
        long_run=section("bandits.long_run"),
    shell:
        job(
            "bandits.epsilon_greedy --settings {params.testbed} {params.agents} {params.long_run}"
            " --out {output.table} --out-crossing {output.crossing} --out-caps {output.caps}"
        )


rule stationary:
    """Play every agent of the post on the testbed."""
    input:
        code=code("bandits.stationary"),
    output:
        table=update(f"{RESULTS}/bandits/metrics/stationary.csv"),
        scores=update(f"{RESULTS}/bandits/metrics/stationary_scores.csv"),
        duels=update(f"{RESULTS}/bandits/metrics/stationary_duels.csv"),
        tries=update(f"{RESULTS}/bandits/metrics/optimistic_tries.csv"),
    log:
        f"logs/bandits_stationary/{RESULTS}.log",
    params:
        testbed=section("bandits.testbed"),
        agents=section("bandits.agents"),
    shell:
        job(
            "bandits.stationary --settings {params.testbed} {params.agents}"
            " --out {output.table} --out-scores {output.scores} --out-duels {output.duels} --out-tries {output.tries}"
        )


rule nonstationary:
    """Play agents on values that walk or switch."""
    input:
        code=code("bandits.nonstationary"),
    output:
        table=update(f"{RESULTS}/bandits/metrics/nonstationary.csv"),
        scores=update(f"{RESULTS}/bandits/metrics/nonstationary_scores.csv"),
        duels=update(f"{RESULTS}/bandits/metrics/nonstationary_duels.csv"),
    log:
        f"logs/bandits_nonstationary/{RESULTS}.log",
    params:
        testbed=section("bandits.testbed"),
        agents=section("bandits.agents"),
        settings=section("bandits.nonstationary"),
    shell:
        job(
            "bandits.nonstationary --settings {params.testbed} {params.agents} {params.settings}"
            " --out {output.table} --out-scores {output.scores} --out-duels {output.duels}"
        )


rule noise:
    """Play agents on rewards of several variances."""
    input:
        code=code("bandits.noise"),
    output:
        table=update(f"{RESULTS}/bandits/metrics/noise.csv"),
    log:
        f"logs/bandits_noise/{RESULTS}.log",
    params:
        testbed=section("bandits.testbed"),
        settings=section("bandits.noise"),
    shell:
        job("bandits.noise --settings {params.testbed} {params.settings} --out {output.table}")


rule contextual:
    """Play agents that see the case and agents that do not."""
    input:
        code=code("bandits.contextual"),
    output:
        table=update(f"{RESULTS}/bandits/metrics/contextual.csv"),
        policies=update(f"{RESULTS}/bandits/metrics/contextual_policies.csv"),
    log:
        f"logs/bandits_contextual/{RESULTS}.log",
    params:
        testbed=section("bandits.testbed"),
        settings=section("bandits.contextual"),
    shell:
        job(
            "bandits.contextual --settings {params.testbed} {params.settings}"
            " --out {output.table} --out-policies {output.policies}"
        )


rule parameter_study:
    """Play each family of agents over its parameter on several kinds of problems."""
    input:
        code=code("bandits.parameter_study"),
    output:
        table=update(f"{RESULTS}/bandits/metrics/parameter_study.csv"),
        best=update(f"{RESULTS}/bandits/metrics/parameter_study_best.csv"),
    log:
        f"logs/bandits_parameter_study/{RESULTS}.log",
    params:
        testbed=section("bandits.testbed"),
        settings=section("bandits.parameter_study"),
    shell:
        job(
            "bandits.parameter_study --testbed {params.testbed} --settings {params.settings}"
            " --out {output.table} --out-best {output.best}"
        )


rule bandits_identities:
    """Check averages, weights, sums and the gradient."""
    input:
        code=code("bandits.identities"),
    output:
        table=update(f"{RESULTS}/bandits/metrics/identities.csv"),
        sums=update(f"{RESULTS}/bandits/metrics/step_sizes.csv"),
    log:
        f"logs/bandits_identities/{RESULTS}.log",
    params:
        agents=section("bandits.agents"),
        settings=section("bandits.identities"),
    shell:
        job(
            "bandits.identities --agents {params.agents} --settings {params.settings}"
            " --out {output.table} --out-sums {output.sums}"
        )
