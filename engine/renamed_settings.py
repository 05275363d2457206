"""Settings that had another name in an older Limner: by section the old name, which keeps working, to the new one.

Here and not beside the settings, so that a command can look for them without importing all settings.
"""

from __future__ import annotations

RENAMED: dict[str, dict[str, str]] = {
    "training": {
        "batch": "batch_size",
        "gradient_accumulation": "gradient_accumulation_steps",
        "max_gradient_norm": "max_grad_norm",
        "schedule": "lr_scheduler",
        "warmup": "lr_warmup",
        "held_out": "validation_split",
        "sample_steps": "sample_every_n_steps",
        "checkpoint_steps": "save_every_n_steps",
        "start_from": "network_weights",
    },
    "painting": {"guidance": "guidance_scale"},
}
