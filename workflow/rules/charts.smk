# Charts of all posts: src/postproof/{post}/figures/{chart}.py, which name what they draw.
#
# INPUTS   results/{post}/metrics/*.csv, data/measured/{name}/*.csv and .json
# OUTPUTS  results/{post}/figures/{chart}.svg, .png
# STEPS    chart (post x chart)


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
