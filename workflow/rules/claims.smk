# Verdicts of all posts.
#
# INPUTS   claims/{post}.yaml, the tables that its values come from, and the schemas of these
# OUTPUTS  results/{post}/claims.json and tally.json, results/{post}/README.md
# STEPS    verdicts (post) -> page (post), with the charts

# What makes each table, for who wants to make it again: `dvc repro STAGE`.
STAGES = {str(path): rule.name for rule in workflow.rules for path in rule.output if not rule.wildcard_names}


rule verdicts:
    """Give every claim of a post its verdict."""
    input:
        code=code("claims.judge"),
        claims="claims/{post}.yaml",
        others=lambda wildcards: [f"claims/{post}.yaml" for post in CLAIMS[wildcards.post].others],
        tables=lambda wildcards: tables(CLAIMS[wildcards.post].tables),
        schemas=lambda wildcards: CLAIMS[wildcards.post].schemas,
        works=lambda wildcards: CLAIMS[wildcards.post].works,
    output:
        claims=update(f"{RESULTS}/{{post}}/claims.json"),
        tally=update(f"{RESULTS}/{{post}}/tally.json"),
    log:
        f"logs/verdicts/{RESULTS}/{{post}}.log",
    wildcard_constraints:
        post="|".join(POSTS),
    params:
        params=section("{post}"),
        stages=lambda wildcards, input: json.dumps({path: STAGES[path] for path in input.tables if path in STAGES}),
    shell:
        job(
            "claims.judge --claims {input.claims} --others {input.others} --schemas {input.schemas}"
            " --tables {input.tables} --works {input.works} --stages {params.stages} --params {params.params}"
            " --out {output.claims} --out-tally {output.tally}"
        )


rule page:
    """Lay charts, verdicts and findings of a post out in its order, for its reader."""
    input:
        code=code("claims.pages"),
        records=rules.verdicts.output.claims,
        pictures=lambda wildcards: [
            f"{RESULTS}/{post}/figures/{name}.png" for post, name in CHARTS if post == wildcards.post
        ],
        twins=lambda wildcards: [
            f"{RESULTS}/{post}/interactive/{name}.html" for post, name in TWINS if post == wildcards.post
        ],
    output:
        page=update(f"{RESULTS}/{{post}}/README.md"),
    log:
        f"logs/page/{RESULTS}/{{post}}.log",
    wildcard_constraints:
        post="|".join(POSTS),
    params:
        title=lambda wildcards: CLAIMS[wildcards.post].title,
        charts=lambda wildcards: json.dumps(about_charts(wildcards.post)),
    shell:
        job(
            "claims.pages --records {input.records} --title {params.title} --charts {params.charts}"
            " --pictures {input.pictures} --twins {input.twins} --out {output.page}"
        )
