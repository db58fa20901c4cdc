# Charts of all posts. The rule files of the posts, included before this one, say which there are.
#
# INPUTS   results/{post}/metrics/*.csv, data/measured/{stem}/*.csv
# OUTPUTS  results/{post}/figures/{stem}.svg, .png
# STEPS    {post}_figure, figure_beside_measured, measured_figure


def tables_of_chart(wildcards):
    return [f"{RESULTS}/{wildcards.post}/metrics/{table}.csv" for table in CHARTS[wildcards.post][wildcards.stem]]


def code_of_chart(wildcards):
    return code(f"{wildcards.post}.figures.{wildcards.stem}")


def about(tables):
    """What was measured where, beside each machine's table."""
    return [f"{table.removesuffix('.csv')}.json" for table in tables]


for post, charts in CHARTS.items():

    rule:
        """Draw one chart from its metrics tables."""
        name:
            f"{post}_figure"
        input:
            tables=tables_of_chart,
            code=code_of_chart,
        output:
            svg=update(report(f"{RESULTS}/{{post}}/figures/{{stem}}.svg", caption=f"../report/{post}_figure.rst", category=post)),
            png=update(f"{RESULTS}/{{post}}/figures/{{stem}}.png"),
        log:
            f"logs/{post}_figure/{RESULTS}/{{post}}/{{stem}}.log",
        wildcard_constraints:
            post=post,
            stem="|".join(charts),
        shell:
            "{POSTPROOF} --log {log} {wildcards.post}.figures.{wildcards.stem} --tables {input.tables}"
            " --out-svg {output.svg} --out-png {output.png}"


rule figure_beside_measured:
    """Draw one chart from metrics tables, with what machines measured where a table of theirs is at hand."""
    input:
        tables=lambda wildcards: [f"{RESULTS}/{wildcards.post}/metrics/{table}.csv" for table in BESIDE[wildcards.post][wildcards.stem][0]],
        measured=lambda wildcards: BESIDE[wildcards.post][wildcards.stem][1],
        about=lambda wildcards: about(BESIDE[wildcards.post][wildcards.stem][1]),
        code=code_of_chart,
    output:
        svg=update(report(f"{RESULTS}/{{post}}/figures/{{stem}}.svg", caption="../report/measured_figure.rst", category="measured")),
        png=update(f"{RESULTS}/{{post}}/figures/{{stem}}.png"),
    log:
        f"logs/figure_beside_measured/{RESULTS}/{{post}}/{{stem}}.log",
    wildcard_constraints:
        stem="|".join(stem for charts in BESIDE.values() for stem in charts),
    shell:
        "{POSTPROOF} --log {log} {wildcards.post}.figures.{wildcards.stem} --tables {input.tables}"
        " --measured {input.measured} --out-svg {output.svg} --out-png {output.png}"


rule measured_figure:
    """Draw one chart of what was measured on the machines at hand."""
    input:
        tables=lambda wildcards: MEASURED[wildcards.post][wildcards.stem],
        about=lambda wildcards: about(MEASURED[wildcards.post][wildcards.stem]),
        code=code_of_chart,
    output:
        svg=update(report(f"{RESULTS}/{{post}}/figures/{{stem}}.svg", caption="../report/measured_figure.rst", category="measured")),
        png=update(f"{RESULTS}/{{post}}/figures/{{stem}}.png"),
    log:
        f"logs/measured_figure/{RESULTS}/{{post}}/{{stem}}.log",
    wildcard_constraints:
        stem="|".join(stem for tables in MEASURED.values() for stem in tables),
    shell:
        "{POSTPROOF} --log {log} {wildcards.post}.figures.{wildcards.stem} --tables {input.tables}"
        " --out-svg {output.svg} --out-png {output.png}"
