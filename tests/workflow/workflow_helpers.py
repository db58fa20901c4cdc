"""First outputs, alphabetically, of the jobs of the tiny build."""

RUNS = {f"results/mixtral/runs/race/{arm}-seed{seed}.csv" for arm in ("dense", "moe") for seed in (7, 8)}
FIGURES = {
    f"results/mixtral/figures/{stem}.png" for stem in ("race_val_perplexity", "race_train_loss", "race_matched_axes")
}
# What is computed from the runs besides the figures.
TABLES_ON = {"results/mixtral/metrics/race.csv", "results/mixtral/claims.json"}
