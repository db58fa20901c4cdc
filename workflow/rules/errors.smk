# Error handling in Python: what a described hierarchy, web application, log formatter, Result and tests do when run.
#
# INPUTS   none
# OUTPUTS  the tables of the post in results/errors/metrics
# STEPS    one each


rule errors_hierarchy:
    """Raise each kind of error and look at what arrives."""
    input:
        code=code("errors.hierarchy"),
    output:
        table=update(f"{RESULTS}/errors/metrics/hierarchy.csv"),
        fields=update(f"{RESULTS}/errors/metrics/hierarchy_fields.csv"),
    log:
        f"logs/errors_hierarchy/{RESULTS}.log",
    shell:
        job("errors.hierarchy --out {output.table} --out-fields {output.fields}")


rule errors_handlers:
    """Send requests to the described web application, and to others beside it."""
    input:
        code=code("errors.handlers"),
    output:
        table=update(f"{RESULTS}/errors/metrics/handlers.csv"),
    log:
        f"logs/errors_handlers/{RESULTS}.log",
    params:
        settings=section("errors.handlers"),
    shell:
        job("errors.handlers --settings {params.settings} --out {output.table}")


rule errors_json_lines:
    """Log errors through three JSON formatters, and read the lines."""
    input:
        code=code("errors.json_lines"),
    output:
        table=update(f"{RESULTS}/errors/metrics/json_lines.csv"),
    log:
        f"logs/errors_json_lines/{RESULTS}.log",
    shell:
        job("errors.json_lines --out {output.table}")


rule errors_described_tests:
    """Run the described tests, on the described code and on the same broken in one place at a time."""
    input:
        code=code("errors.described_tests"),
    output:
        table=update(f"{RESULTS}/errors/metrics/described_tests.csv"),
        mutants=update(f"{RESULTS}/errors/metrics/described_tests_mutants.csv"),
    log:
        f"logs/errors_described_tests/{RESULTS}.log",
    params:
        settings=section("errors.handlers"),
    shell:
        job("errors.described_tests --settings {params.settings} --out {output.table} --out-mutants {output.mutants}")


rule errors_results_as_values:
    """Use and misuse failures that are values."""
    input:
        code=code("errors.results_as_values"),
    output:
        table=update(f"{RESULTS}/errors/metrics/results_as_values.csv"),
        example=update(f"{RESULTS}/errors/metrics/results_example.csv"),
    log:
        f"logs/errors_results_as_values/{RESULTS}.log",
    params:
        settings=section("errors.results_as_values"),
    shell:
        job("errors.results_as_values --settings {params.settings} --out {output.table} --out-example {output.example}")


rule errors_propagation:
    """Let a small service fail, with its errors handled in four ways."""
    input:
        code=code("errors.error_propagation"),
    output:
        table=update(f"{RESULTS}/errors/metrics/error_propagation.csv"),
        code=update(f"{RESULTS}/errors/metrics/error_propagation_code.csv"),
    log:
        f"logs/errors_propagation/{RESULTS}.log",
    params:
        settings=section("errors.error_propagation"),
    shell:
        job("errors.error_propagation --settings {params.settings} --out {output.table} --out-code {output.code}")
