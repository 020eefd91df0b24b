//! CLIP: the original checkpoints hold transformers' own text model, so that only spellings differ.

/// `rest` of `cond_stage_model.transformer.rest`.
pub(super) fn rename(rest: &str) -> Option<String> {
    current(rest, "text_model")
}

/// With the tower's name in front, which transformers 5 leaves out of what it saves. None for position ids.
pub(super) fn current(name: &str, tower: &str) -> Option<String> {
    if name.ends_with("position_ids") {
        return None;
    }
    // As far as it takes to tell them from DINOv2's, whose names stay.
    let bare = [
        "embeddings.class_embedding",
        "embeddings.patch_embedding.",
        "embeddings.position_embedding.",
        "embeddings.token_embedding.",
        "encoder.layers.",
        "final_layer_norm.",
        "pre_layrnorm.",
        "post_layernorm.",
    ];
    if bare.iter().any(|part| name.starts_with(part)) {
        return Some(format!("{tower}.{name}"));
    }
    Some(name.to_owned())
}
