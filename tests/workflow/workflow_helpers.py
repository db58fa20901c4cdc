"""First outputs, alphabetically, of the jobs of the tiny build, by what they depend on."""


def _at(folder: str, suffix: str, *stems: str, post: str = "mixtral") -> set[str]:
    return {f"results/{post}/{folder}/{stem}.{suffix}" for stem in stems}


CLAIMS = {"results/mixtral/claims.json"}
ALL_CLAIMS = CLAIMS | {"results/llama2/claims.json", "results/attention/claims.json"}
RACE_RUNS = _at("runs/race", "csv", *(f"{arm}-seed{seed}" for arm in ("dense", "moe") for seed in (7, 8)))
RACE_FIGURES = _at("figures", "png", "race_val_perplexity", "race_train_loss", "race_matched_axes")
# What is computed from the runs of the race.
ON_RACE = _at("metrics", "csv", "race") | RACE_FIGURES | CLAIMS

OTHER_RUNS = _at("runs/isoflop", "csv", *(f"{arm}_d16-seed{seed}" for arm in ("dense", "moe") for seed in (7, 8)))
OTHER_RUNS |= _at("runs/router_balance", "csv", "no_aux-seed11", "with_aux-seed11", "with_aux_as_posted-seed11")
RUNS = RACE_RUNS | OTHER_RUNS

# Jobs that count something of the model's code.
COUNTS = _at("metrics", "csv", "parameters", "flop_breakdown", "step_elements", "worked_token")
TABLES = COUNTS | _at("metrics", "csv", "race", "isoflop", "expert_usage", "expert_load", "dispatch_volume")
ROUTER_FIGURES = _at("figures", "png", "router_entropy", "router_by_layer", "router_quality", "expert_usage")
MEASURED_FIGURES = _at("figures", "png", "latency_by_length", "moe_step", "race_wall")
FIGURES = RACE_FIGURES | ROUTER_FIGURES | MEASURED_FIGURES
FIGURES |= _at("figures", "png", "isoflop_gap", "expert_load_windows", "dispatch_volume")
FIGURES |= _at("figures", "png", "flop_breakdown", "parameters")
LLAMA2_FIGURES = _at(
    "figures", "png", "rope_rotation_angles", "rope_decay", "rope_theta", "rope_diagram", post="llama2"
)
LLAMA2_FIGURES |= _at("figures", "png", "kv_cache_memory", "kv_max_batch", "decode_bytes", post="llama2")
LLAMA2_FIGURES |= _at("figures", "png", "serving_budget", "ablation", post="llama2")
LLAMA2_FIGURES |= _at("figures", "png", "norm_speed", "decode_speed", "llama_speed", post="llama2")
ATTENTION_FIGURES = _at(
    "figures", "png", "attention_weights", "softmax_scaling", "sinusoidal_encoding", post="attention"
)
ATTENTION_FIGURES |= _at("figures", "png", "head_entropy_heatmap", "head_layer_gradient", post="attention")
ATTENTION_FIGURES |= _at("figures", "png", "head_type_examples", "padding_effect", "score_memory", post="attention")
ALL_FIGURES = FIGURES | LLAMA2_FIGURES | ATTENTION_FIGURES

# What is read of the heads of the race's models, and what is computed from that.
RACE_HEADS = _at("runs/heads", "safetensors", "race_dense", "race_moe", "race_dense_untrained", post="attention")
RACE_HEADS |= _at("runs/heads", "safetensors", "race_moe_untrained", post="attention")
ON_HEADS = _at("metrics", "csv", "general_layers", post="attention") | {"results/attention/claims.json"}
ON_HEADS |= _at("figures", "png", "head_entropy_heatmap", "head_layer_gradient", post="attention")
ON_HEADS |= _at("figures", "png", "head_type_examples", "padding_effect", post="attention")
ON_RACE_MODELS = RACE_HEADS | ON_HEADS

# What is computed from the model's code.
ON_MODEL = RUNS | TABLES | CLAIMS | (FIGURES - MEASURED_FIGURES) | ON_RACE_MODELS
