# Finite Markov decision processes: values, optimal policies, discounting, and what rewards make of them.
#
# INPUTS   data/published/mdp (the robot's table, the book's printed values); gymnasium's tables come with the package
# OUTPUTS  the tables of the post in results/mdp/metrics
# STEPS    one each


rule backup_diagram:
    """Back up values of a state and of a pair by a table p(s', r | s, a)."""
    input:
        code=code("mdp.backup_diagram"),
        mdp=chosen("mdp.examples.robot"),
    output:
        table=update(f"{RESULTS}/mdp/metrics/backup_diagram.csv"),
    log:
        f"logs/backup_diagram/{RESULTS}.log",
    params:
        settings=section("mdp.backup_diagram"),
    shell:
        job("mdp.backup_diagram --mdp {input.mdp} --settings {params.settings} --out {output.table}")


rule gridworld:
    """Solve the book's gridworld, beside the values that it prints."""
    input:
        code=code("mdp.gridworld"),
        printed="data/published/mdp/gridworld.csv",
    output:
        values=update(f"{RESULTS}/mdp/metrics/gridworld_values.csv"),
        moves=update(f"{RESULTS}/mdp/metrics/gridworld_optimal.csv"),
    log:
        f"logs/gridworld/{RESULTS}.log",
    params:
        settings=section("mdp.gridworld"),
    shell:
        job(
            "mdp.gridworld --settings {params.settings} --printed {input.printed}"
            " --out-values {output.values} --out-moves {output.moves}"
        )


rule discounting:
    """Weigh rewards by how far ahead they are, and add them up in two ways."""
    input:
        code=code("mdp.discounting"),
    output:
        rates=update(f"{RESULTS}/mdp/metrics/discounting.csv"),
        steps=update(f"{RESULTS}/mdp/metrics/discounting_steps.csv"),
    log:
        f"logs/discounting/{RESULTS}.log",
    params:
        settings=section("mdp.discounting"),
    shell:
        job("mdp.discounting --settings {params.settings} --out {output.rates} --out-steps {output.steps}")


rule mdp_identities:
    """Hold what must be true of any finite MDP against each of ours."""
    input:
        code=code("mdp.identities"),
        robot=chosen("mdp.examples.robot"),
    output:
        table=update(f"{RESULTS}/mdp/metrics/identities.csv"),
    log:
        f"logs/mdp_identities/{RESULTS}.log",
    params:
        examples=section("mdp.examples"),
        random=section("mdp.random"),
        gridworld=section("mdp.gridworld"),
        race=section("mdp.race"),
        designs=section("mdp.reward_design"),
        settings=section("mdp.identities"),
    shell:
        job(
            "mdp.identities --robot {input.robot} --examples {params.examples} --random {params.random}"
            " --gridworld {params.gridworld} --race {params.race} --designs {params.designs}"
            " --settings {params.settings} --out {output.table}"
        )


rule acting_on_v:
    """Act on v* by the next state's value alone, and by reward and discounted value."""
    input:
        code=code("mdp.acting_on_v"),
        robot=chosen("mdp.examples.robot"),
    output:
        table=update(f"{RESULTS}/mdp/metrics/acting_on_v.csv"),
    log:
        f"logs/acting_on_v/{RESULTS}.log",
    params:
        examples=section("mdp.examples"),
        random=section("mdp.random"),
        gridworld=section("mdp.gridworld"),
        race=section("mdp.race"),
        designs=section("mdp.reward_design"),
        settings=section("mdp.acting_on_v"),
    shell:
        job(
            "mdp.acting_on_v --robot {input.robot} --examples {params.examples} --random {params.random}"
            " --gridworld {params.gridworld} --race {params.race} --designs {params.designs}"
            " --settings {params.settings} --out {output.table}"
        )


rule reward_design:
    """Solve a race to mate under designs of reward, and count how often it is won."""
    input:
        code=code("mdp.reward_design"),
    output:
        discounts=update(f"{RESULTS}/mdp/metrics/reward_design.csv"),
        bonus=update(f"{RESULTS}/mdp/metrics/reward_design_bonus.csv"),
        feedback=update(f"{RESULTS}/mdp/metrics/reward_design_feedback.csv"),
    log:
        f"logs/reward_design/{RESULTS}.log",
    params:
        race=section("mdp.race"),
        settings=section("mdp.reward_design"),
    shell:
        job(
            "mdp.reward_design --race {params.race} --settings {params.settings} --out {output.discounts}"
            " --out-bonus {output.bonus} --out-feedback {output.feedback}"
        )


rule navigation:
    """Solve a maze with and without costs of steps and bumps."""
    input:
        code=code("mdp.navigation"),
    output:
        table=update(f"{RESULTS}/mdp/metrics/navigation.csv"),
    log:
        f"logs/navigation/{RESULTS}.log",
    params:
        settings=section("mdp.navigation"),
    shell:
        job("mdp.navigation --settings {params.settings} --out {output.table}")


rule sparse_reward:
    """Learn to walk down a corridor, with and without rewards on the way."""
    input:
        code=code("mdp.sparse_reward"),
    output:
        table=update(f"{RESULTS}/mdp/metrics/sparse_reward.csv"),
    log:
        f"logs/sparse_reward/{RESULTS}.log",
    params:
        settings=section("mdp.sparse_reward"),
    shell:
        job("mdp.sparse_reward --settings {params.settings} --out {output.table}")
