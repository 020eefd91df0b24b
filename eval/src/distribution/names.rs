//! What a distance is called on features of an encoder: names of the literature for the networks of the literature only.

use adeval_sdk::EncoderInfo;

/// FID with the network and the weights of 2015, Clean-FID with Clean-FID's resizing of them, `FD-<encoder>` with any other.
pub fn frechet_title(encoder: &str) -> String {
    title(encoder, "FID", "FD")
}

/// KID with the network and the weights of 2015, Clean-KID likewise, `KD-<encoder>` with any other.
pub fn kernel_title(encoder: &str) -> String {
    title(encoder, "KID", "KD")
}

fn title(encoder: &str, published: &str, general: &str) -> String {
    match encoder {
        EncoderInfo::FID => published.to_owned(),
        EncoderInfo::CLEAN_FID => format!("Clean-{published}"),
        other => format!("{general}-{other}"),
    }
}
