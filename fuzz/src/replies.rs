//! What a component answers: the typed clients take it or refuse it, and never panic over it.
//!
//! The input: which call, how many attachments (0 to 3), each one's length (two bytes), their bytes, the reply's body.

use adeval_sdk::client::{BackgroundClient, EmbedderClient, OptimizerClient, PromptClient, RewardClient};
use adeval_sdk::{
    BackgroundRequest, CallContext, EmbedRequest, Endpoint, Image, Message, PairRequest, PixelFormat,
    PreferenceBatch, Product, PromptRequest, Result, ScoreRequest,
};
use bytes::Bytes;
use std::sync::Arc;

/// Gives the same answer to every call.
struct Hostile(Message);

impl Endpoint for Hostile {
    fn call(&self, _: &str, _: Message, _: &CallContext<'_>) -> Result<Message> {
        Ok(self.0.clone())
    }
}

fn message(mut data: &[u8]) -> Option<Message> {
    let (&count, rest) = data.split_first()?;
    data = rest;
    let mut attachments = Vec::new();
    for _ in 0..count % 4 {
        let (len, rest) = data.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_le_bytes(*len)).min(rest.len());
        let (bytes, rest) = rest.split_at(len);
        attachments.push(Bytes::copy_from_slice(bytes));
        data = rest;
    }
    Some(Message { body: data.to_vec(), attachments })
}

fn ask(call: u8, endpoint: Arc<dyn Endpoint>) {
    let cx = &CallContext::detached();
    let image = |format, bytes| Image::new(2, 2, format, Bytes::from(vec![128; bytes])).expect("2x2 pixels");
    let (creative, cut_out) = (image(PixelFormat::Rgb8, 12), image(PixelFormat::Rgba8, 16));
    let product = Product::new("p", "Cup", cut_out);
    let background =
        BackgroundRequest { width: 2, height: 2, ..BackgroundRequest::new(product.clone(), "a table", 1) };
    match call % 8 {
        0 => drop(PromptClient::new(endpoint).generate(&[PromptRequest::new(product, 1)], cx)),
        1 => drop(BackgroundClient::new(endpoint).generate(&[background], cx)),
        2 => drop(RewardClient::new(endpoint).score(&[ScoreRequest { product, creative }], cx)),
        3 => {
            let pair = PairRequest { product, left: creative.clone(), right: creative };
            drop(RewardClient::new(endpoint).compare(&[pair], cx));
        }
        4 => {
            drop(EmbedderClient::new(endpoint).embed(&[EmbedRequest { image: creative, spatial: true }], cx))
        }
        5 => drop(EmbedderClient::new(endpoint).describe(cx)),
        6 => drop(OptimizerClient::new(endpoint).needs(cx)),
        _ => drop(OptimizerClient::new(endpoint).loss(&PreferenceBatch { groups: Vec::new() }, cx)),
    }
}

/// Tries one input.
///
/// # Panics
/// When the host would misbehave on it.
pub fn run(data: &[u8]) {
    let Some((&call, rest)) = data.split_first() else { return };
    let Some(message) = message(rest) else { return };
    ask(call, Arc::new(Hostile(message)));
}
