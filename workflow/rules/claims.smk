# Verdicts of all posts.
#
# INPUTS   claims/{post}.yaml, the tables that its values come from, and the schemas of these
# OUTPUTS  results/{post}/claims.json
# STEPS    verdicts (post)


rule verdicts:
    """Give every claim of a post its verdict."""
    input:
        code=code("claims.judge"),
        claims="claims/{post}.yaml",
        others=lambda wildcards: [f"claims/{post}.yaml" for post in CLAIMS[wildcards.post].others],
        tables=lambda wildcards: tables(CLAIMS[wildcards.post].tables),
        schemas=lambda wildcards: CLAIMS[wildcards.post].schemas,
    output:
        claims=update(f"{RESULTS}/{{post}}/claims.json"),
    log:
        f"logs/verdicts/{RESULTS}/{{post}}.log",
    wildcard_constraints:
        post="|".join(POSTS),
    params:
        params=section("{post}"),
    shell:
        job(
            "claims.judge --claims {input.claims} --others {input.others} --schemas {input.schemas}"
            " --tables {input.tables} --params {params.params:q} --out {output.claims}"
        )
