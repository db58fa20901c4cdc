# INPUTS   claims/{post}.yaml, results/{post}/metrics/*.csv and the schemas of these tables
# OUTPUTS  results/{post}/claims.json
# STEPS    judge_claims (post)


def section_of_post(wildcards):
    return Section(wildcards.post)


rule judge_claims:
    """Give every claim of a post its verdict."""
    input:
        claims="claims/{post}.yaml",
        others=lambda wildcards: [f"claims/{other}.yaml" for other in OTHERS.get(wildcards.post, [])],
        tables=lambda wildcards: [f"{RESULTS}/{wildcards.post}/metrics/{stem}.csv" for stem in TABLES[wildcards.post]],
        schemas=lambda wildcards: [f"workflow/schemas/tables/{stem}.yaml" for stem in TABLES[wildcards.post]],
        code=code("claims.judge"),
    output:
        update(f"{RESULTS}/{{post}}/claims.json"),
    log:
        f"logs/judge_claims/{RESULTS}/{{post}}.log",
    params:
        params=section_of_post,
    shell:
        "{POSTPROOF} --log {log} claims.judge --claims {input.claims} --others {input.others} --schemas {input.schemas}"
        " --tables {input.tables} --params {params.params:q} --out {output}"
