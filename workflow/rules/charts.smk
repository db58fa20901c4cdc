# Charts of all posts: src/postproof/{post}/figures/{chart}.py, which name what they draw. A chart that has a module
# src/postproof/{post}/interactive/{chart}.py as well has an interactive twin.
#
# INPUTS   results/{post}/metrics/*.csv, data/measured/{name}/*.csv and .json, results/{post}/claims.json
# OUTPUTS  results/{post}/figures/{chart}.svg, .png, results/{post}/interactive/{chart}.html, results/interactive.js
# STEPS    chart (post x chart), twin (post x chart), twin_script
TWINS = [(post, name) for post, name in CHARTS if f"{post}.interactive.{name}" in SOURCES.commands]


rule chart:
    """Draw one chart from its tables, with what machines measured where a table of theirs is at hand."""
    input:
        code=lambda wildcards: code(f"{wildcards.post}.figures.{wildcards.chart}"),
        tables=lambda wildcards: tables(CHARTS[wildcards.post, wildcards.chart].tables),
        measured=lambda wildcards: CHARTS[wildcards.post, wildcards.chart].measured,
        about=lambda wildcards: CHARTS[wildcards.post, wildcards.chart].about,
    output:
        svg=update(
            report(f"{RESULTS}/{{post}}/figures/{{chart}}.svg", caption="../report/chart.rst", category="{post}")
        ),
        png=update(f"{RESULTS}/{{post}}/figures/{{chart}}.png"),
    log:
        f"logs/chart/{RESULTS}/{{post}}/{{chart}}.log",
    wildcard_constraints:
        post="|".join(sorted({post for post, _ in CHARTS})),
        chart="|".join(sorted({name for _, name in CHARTS})),
    shell:
        job(
            "{wildcards.post}.figures.{wildcards.chart} --tables {input.tables} --measured {input.measured}"
            " --out-svg {output.svg} --out-png {output.png}"
        )


rule twin:
    """Lay out the page on which a chart answers to pointer and keyboard, with what claims say of its values."""
    input:
        code=lambda wildcards: code(f"{wildcards.post}.interactive.{wildcards.chart}"),
        tables=lambda wildcards: tables(CHARTS[wildcards.post, wildcards.chart].tables),
        claims="claims/{post}.yaml",
        others=lambda wildcards: [f"claims/{post}.yaml" for post in CLAIMS[wildcards.post].others],
        records=f"{RESULTS}/{{post}}/claims.json",
    output:
        page=update(f"{RESULTS}/{{post}}/interactive/{{chart}}.html"),
    log:
        f"logs/twin/{RESULTS}/{{post}}/{{chart}}.log",
    wildcard_constraints:
        post="|".join(sorted({post for post, _ in TWINS})) or r"[^\s\S]",
        chart="|".join(sorted({name for _, name in TWINS})) or r"[^\s\S]",
    params:
        caption=lambda wildcards: CHARTS[wildcards.post, wildcards.chart].caption,
    shell:
        job(
            "{wildcards.post}.interactive.{wildcards.chart} --tables {input.tables} --claims {input.claims}"
            " --others {input.others} --records {input.records} --caption {params.caption} --out {output.page}"
        )


rule twin_script:
    """Write the one script of all twins."""
    input:
        code=code("interactive.bundle"),
        lock="requirements.lock",
    output:
        script=update(f"{RESULTS}/interactive.js"),
    log:
        f"logs/twin_script/{RESULTS}.log",
    shell:
        job("interactive.bundle --lock {input.lock} --out {output.script}")
