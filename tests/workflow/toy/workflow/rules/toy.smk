# A post of three jobs, for the tests of the engines.
#
# INPUTS   the text that toy.text.source names
# OUTPUTS  results/toy/runs/walk, the table walk
# STEPS    toy_words -> walk (seed), named_walk (name) -> walk_table


rule toy_words:
    """Count the letters of the words."""
    input:
        code=code("toy.prepare"),
        text=chosen("toy.text.source"),
    output:
        words=update("data/prepared/toy_words.json"),
    log:
        "logs/toy_words.log",
    params:
        words=section("toy.text.words"),
    shell:
        job("toy.prepare --text {input.text} --words {params.words} --out {output.words}")


rule walk:
    """Walk with one seed."""
    input:
        code=code("toy.walk"),
        words="data/prepared/toy_words.json",
    output:
        walk=update(f"{RESULTS}/toy/runs/walk/walk-seed{{seed}}.csv"),
    log:
        f"logs/walk/{RESULTS}/{{seed}}.log",
    wildcard_constraints:
        seed=Among("toy.walk.seeds"),
    params:
        steps=section("toy.walk.steps"),
    shell:
        job("toy.walk --words {input.words} --seed {wildcards.seed} --steps {params.steps} --out {output.walk}")


rule named_walk:
    """Walk with the seed of a name."""
    input:
        code=code("toy.walk"),
        words="data/prepared/toy_words.json",
    output:
        walk=update(f"{RESULTS}/toy/runs/walk/{{name}}.csv"),
    log:
        f"logs/named_walk/{RESULTS}/{{name}}.log",
    wildcard_constraints:
        name=Among("toy.named_walks"),
    params:
        steps=section("toy.walk.steps"),
        seed=section("toy.named_walks.{name}"),
    shell:
        job("toy.walk --words {input.words} --seed {params.seed} --steps {params.steps} --out {output.walk}")


rule walk_table:
    """Join the walks into one table."""
    input:
        code=code("toy.walk_table"),
        seeded=expand(f"{RESULTS}/toy/runs/walk/walk-seed{{seed}}.csv", seed=config["toy"]["walk"]["seeds"]),
        named=expand(f"{RESULTS}/toy/runs/walk/{{name}}.csv", name=config["toy"]["named_walks"]),
    output:
        table=update(f"{RESULTS}/toy/metrics/walk.csv"),
    log:
        f"logs/walk_table/{RESULTS}.log",
    params:
        # DVC sees the walks as one folder; which of its files count is said here.
        seeds=section("toy.walk.seeds"),
        named=section("toy.named_walks"),
    shell:
        job("toy.walk_table --seeded {input.seeded} --named {input.named} --out {output.table}")
