# The pages of all posts, for reading and quoting: opened from the disk, results/site/index.html first.
#
# INPUTS   results/{post}/claims.json, figures/*.svg, interactive/*.html, metrics/*.csv, the posts' and machines' tables,
#          claims/, data/readings, data/history
# OUTPUTS  results/site/{post}.html, index.html, claims.html, families.html, family-{name}.html, verdicts.html,
#          found.html, index.json; style, scripts
# STEPS    site_post (post), site
from postproof.claims import readme

SITE = f"{RESULTS}/site"
TEMPLATES = sorted(
    path.relative_to(ROOT).as_posix()
    for kind in ("html", "css", "js")
    for path in (ROOT / "src/postproof/site/templates").glob(f"[a-z]*.{kind}")
)
TITLES = json.dumps({post: CLAIMS[post].title for post in POSTS})
README = ROOT / "README.md"
START, OTHER_PAGES = "index", ["claims", "families", "verdicts", "found"]
FAMILIES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "claims/families").glob("[a-z]*.yaml"))
or_exit(inventory.check_names, POSTS, [START, *OTHER_PAGES])
# What makes each table: the rule, its command, its sections of params.yaml.
MADE = {
    str(path): {
        "stage": rule.name,
        "command": next(
            (Path(str(code)).stem for code in rule.input if Path(str(code)).parent == codegraph.FOLDER), None
        ),
        "params": [value.key for value in rule.params if hasattr(value, "key")],
    }
    for rule in workflow.rules
    for path in rule.output
    if not rule.wildcard_names
}
# Of each post the tables that its page is made from, and their schemas.
SHOWN = {
    post: inventory.shown(ROOT, [chart for (of, _), chart in CHARTS.items() if of == post], CLAIMS[post], RESULTS)
    for post in POSTS
}
# What was written down of Git, of a second reading and of rebuilds; a post or a project may have none yet.
HISTORY = {
    post: [path for name in ("claims", "charts") if (ROOT / (path := f"data/history/{post}/{name}.csv")).is_file()]
    for post in POSTS
}
NOTED = {
    "readings": [path for post in POSTS if (ROOT / (path := f"data/readings/{post}.csv")).is_file()],
    "inventories": [path for post in POSTS if (ROOT / (path := f"claims/{post}.numbers.csv")).is_file()],
    "rebuilds": [path for path in ["data/history/rebuilds.csv"] if (ROOT / path).is_file()],
}


rule pages:
    """All pages: what `make site` builds."""
    input:
        expand(f"{SITE}/{{page}}.html", page=[START, *POSTS] if POSTS else []),


rule site_post:
    """Lay out the page of a post: charts, their interactive twins, the claims on them, and what is behind each."""
    input:
        code=code("site.post"),
        templates=TEMPLATES,
        records=f"{RESULTS}/{{post}}/claims.json",
        claims="claims/{post}.yaml",
        history=lambda wildcards: HISTORY[wildcards.post],
        drawings=lambda wildcards: [
            f"{RESULTS}/{post}/figures/{name}.svg" for post, name in CHARTS if post == wildcards.post
        ],
        twins=lambda wildcards: [
            f"{RESULTS}/{post}/interactive/{name}.html" for post, name in TWINS if post == wildcards.post
        ],
        tables=lambda wildcards: SHOWN[wildcards.post].tables,
        about=lambda wildcards: [
            f"{path.removesuffix('.csv')}.json"
            for path in SHOWN[wildcards.post].tables
            if path.startswith("data/measured/")
        ],
        schemas=lambda wildcards: SHOWN[wildcards.post].schemas,
    output:
        page=update(f"{SITE}/{{post}}.html"),
    log:
        f"logs/site_post/{RESULTS}/{{post}}.log",
    wildcard_constraints:
        post="|".join(POSTS),
    params:
        titles=lambda wildcards: TITLES,  # a function: in a plain string Snakemake would take braces for wildcards
        charts=lambda wildcards: json.dumps(about_charts(wildcards.post)),
        made=lambda wildcards, input: json.dumps({path: MADE[path] for path in input.tables if path in MADE}),
    shell:
        job(
            "site.post --records {input.records} --claims {input.claims} --history {input.history}"
            " --titles {params.titles} --charts {params.charts}"
            " --made {params.made} --drawings {input.drawings} --twins {input.twins} --tables {input.tables}"
            " --about {input.about} --schemas {input.schemas} --templates {input.templates} --out {output.page}"
        )


rule site:
    """Lay out the pages beside those of the posts, and write what all of them need."""
    input:
        **NOTED,
        code=code("site.pages"),
        templates=TEMPLATES,
        records=expand(f"{RESULTS}/{{post}}/claims.json", post=POSTS),
        claims=expand("claims/{post}.yaml", post=POSTS),
        works=sorted({work for post in POSTS for work in CLAIMS[post].works}),
        shared=sorted(
            str(path.relative_to(ROOT)) for path in (ROOT / codegraph.SCHEMAS / "published").glob("[a-z]*.yaml")
        ),
        families=FAMILIES,
        history=[path for post in POSTS for path in HISTORY[post] if path.endswith("claims.csv")],
        guide=[path for path in ["docs/claims.md"] if (ROOT / path).is_file()],
        lock=["requirements.lock"] if TWINS else [],
    output:
        page=update(f"{SITE}/{START}.html"),
        pages=update(
            expand(f"{SITE}/{{name}}.html", name=[*OTHER_PAGES, *(f"family-{Path(each).stem}" for each in FAMILIES)])
        ),
        others=update(
            expand(f"{SITE}/{{name}}", name=["index.json", "style.css", "site.js", *(["charts.js"] if TWINS else [])])
        ),
    log:
        f"logs/site/{RESULTS}.log",
    params:
        titles=lambda wildcards: TITLES,  # a function: in a plain string Snakemake would take braces for wildcards
        others=lambda wildcards: json.dumps({post: CLAIMS[post].others for post in POSTS}),
        charts=lambda wildcards: json.dumps({post: about_charts(post) for post in POSTS}),
        # Named in README.md: of its text nothing else counts here.
        first=readme.ids(README.read_text(encoding="utf-8")) if README.is_file() else [],
        counts=lambda wildcards: json.dumps(
            {
                "charts": len(CHARTS),
                "interactive": len(TWINS),
                "tables": len({path for shown in SHOWN.values() for path in shown.tables}),
            }
        ),
    shell:
        job(
            "site.pages --records {input.records} --claims {input.claims} --others {params.others}"
            " --works {input.works} --shared {input.shared} --guide {input.guide} --first {params.first}"
            " --families {input.families} --charts {params.charts} --inventories {input.inventories}"
            " --readings {input.readings} --history {input.history} --rebuilds {input.rebuilds}"
            " --counts {params.counts} --titles {params.titles} --lock {input.lock}"
            " --templates {input.templates} --out {output.page}"
        )
